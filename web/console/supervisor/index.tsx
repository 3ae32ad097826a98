import { Alert, Button, Skeleton } from "antd";
import { useEffect, useMemo, useState } from "react";
import type { StaffDesk } from "../../shared/desk/desk";
import { formatDuration } from "../../shared/format";
import { Floor } from "../../shared/supervision/floor";
import { useAmbience, useSelected, useSession, useStore } from "../context";
import { useNow } from "../desk/now";
import "../styles/desk.css";
import { useTopicName } from "../topicName";
import { AgentsPart } from "./agents";
import { CallsPart } from "./calls";
import { CallPanel } from "./panel";
import { QueuesPart } from "./queues";
import "./supervisor.css";
import { useJoining } from "./useJoining";

/** Changes that come in a burst are followed by one reading of who waits, after this pause in milliseconds. */
const WAITING_MS = 400;

/** The floor: who waits, who works, which calls go on; and one click into any of them. */
export default function SupervisorPage() {
  const { t } = useAmbience();
  const { api, desk } = useSession();
  const floor = useMemo(() => new Floor(api), [api]);
  const [chosen, choose] = useState<string | null>(null);
  useEffect(() => {
    floor.start();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = (): void => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void readWaiting(desk).catch(() => undefined); // The next event reads again; until then the list is a little old.
      }, WAITING_MS);
    };
    const stop = desk.onEvent((event) => {
      floor.onEvent(event);
      if (event.type !== "message.created") soon();
    });
    soon();
    return () => {
      stop();
      clearTimeout(timer);
      floor.close();
    };
  }, [floor, desk]);
  // After a long absence events may be missing: all is read anew, as the desk does.
  const stream = useSelected(desk.state, (state) => state.stream);
  useEffect(() => {
    if (stream === "open") void floor.read();
  }, [stream, floor]);

  const { loaded, calls } = useStore(floor.state);
  const joining = useJoining(floor);
  const open = (call: string): void => choose(call);
  return (
    <div className="rh-floor" data-panel={chosen !== null}>
      <div className="rh-floor-page">
        <Summary floor={floor} />
        <Hands floor={floor} onOpen={open} join={joining.join} />
        {loaded ? (
          <div className="rh-floor-parts">
            <QueuesPart />
            <CallsPart floor={floor} chosen={chosen} onOpen={open} joining={joining} />
            <AgentsPart onOpen={(call) => (calls.has(call) ? open(call) : undefined)} />
          </div>
        ) : (
          <Skeleton active paragraph={{ rows: 8 }} title={false} aria-label={t("supervisor.title")} />
        )}
      </div>
      {chosen === null ? null : <CallPanel key={chosen} id={chosen} floor={floor} joining={joining} onClose={() => choose(null)} />}
    </div>
  );
}

/** How many wait in each queue, and who, wherever somebody waits or has waited. */
async function readWaiting(desk: StaffDesk): Promise<void> {
  await desk.refreshQueues();
  const queues = desk.state.get().queues.filter((queue) => queue.waiting > 0 || (queue.calls ?? []).length > 0);
  await Promise.all(queues.map((queue) => desk.refreshQueue(queue.id)));
}

function Summary({ floor }: { floor: Floor }) {
  const { t } = useAmbience();
  const { desk } = useSession();
  const queues = useSelected(desk.state, (state) => state.queues);
  const agents = useSelected(desk.state, (state) => state.agents);
  const { calls } = useStore(floor.state);
  const now = useNow(1000);
  const waiting = queues.reduce((sum, queue) => sum + queue.waiting, 0);
  const since = queues.flatMap((queue) => queue.calls ?? []).map((call) => now - Date.parse(call.since));
  const longest = waiting === 0 ? null : Math.max(0, ...since) / 1000;
  const free = [...agents.values()].filter((agent) => agent.state === "available" && agent.activity === "idle" && !agent.supervisor).length;
  const hands = [...calls.values()].filter((call) => call.hand_raised_by !== null).length;
  const figures = [
    { key: "waiting", value: String(waiting), warn: waiting > 0 && free === 0 },
    { key: "longest", value: longest === null ? "–" : formatDuration(longest), warn: longest !== null && longest > 120 },
    { key: "talking", value: String(calls.size), warn: false },
    { key: "available", value: String(free), warn: free === 0 },
    { key: "hands", value: String(hands), warn: hands > 0 },
  ] as const;
  return (
    <header className="rh-floor-head">
      <h1>{t("supervisor.title")}</h1>
      <dl className="rh-floor-figures" aria-label={t("supervisor.summary")}>
        {figures.map(({ key, value, warn }) => (
          <div key={key} data-figure={key} data-warn={warn}>
            <dt>{t(`supervisor.${key}`)}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </header>
  );
}

/** Raised hands stand above all else. */
function Hands({ floor, onOpen, join }: { floor: Floor; onOpen: (call: string) => void; join: ReturnType<typeof useJoining>["join"] }) {
  const { t } = useAmbience();
  const topicName = useTopicName();
  const { desk, me } = useSession();
  const agents = useSelected(desk.state, (state) => state.agents);
  const { calls, notes } = useStore(floor.state);
  const raised = [...calls.values()].filter((call) => call.hand_raised_by !== null);
  return (
    <div className="rh-floor-hands" role="status" aria-live="polite">
      {raised.map((call) => {
        const agent = call.hand_raised_by ?? "";
        const note = notes.get(call.id) ?? "";
        return (
          <Alert
            key={call.id}
            type="warning"
            showIcon
            data-hand={call.id}
            title={
              <>
                <strong>{t("supervisor.hand.title", { agent: agents.get(agent)?.name ?? agent })}</strong>{" "}
                {[
                  note === "" ? t("supervisor.hand.none") : note,
                  t("supervisor.hand.about", { student: call.student?.name ?? "", topic: topicName(call.topic) }),
                ].join(" · ")}
              </>
            }
            action={
              <span className="rh-row">
                <Button size="small" onClick={() => onOpen(call.id)}>
                  {t("supervisor.call.open")}
                </Button>
                {me.role === "supervisor" && call.kind !== "chat" ? (
                  <Button
                    size="small"
                    type="primary"
                    onClick={() => {
                      onOpen(call.id);
                      void join(call, "whisper");
                    }}
                  >
                    {t("supervisor.join.whisper")}
                  </Button>
                ) : null}
              </span>
            }
          />
        );
      })}
    </div>
  );
}
