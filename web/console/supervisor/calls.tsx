import { AudioOutlined, EyeOutlined, SoundOutlined, SwapOutlined } from "@ant-design/icons";
import { Button, Tooltip } from "antd";
import { formatDuration } from "../../shared/format";
import type { Call, Floor, Quality } from "../../shared/supervision/floor";
import { useAmbience, useSelected, useSession, useStore } from "../context";
import { Avatar } from "../desk/avatar";
import { useNow } from "../desk/now";
import { useTopicName } from "../topicName";
import type { Joining } from "./useJoining";

interface CallsProps {
  readonly floor: Floor;
  readonly chosen: string | null;
  readonly onOpen: (call: string) => void;
  readonly joining: Joining;
}

/** Calls in progress, the troubled ones first. */
export function CallsPart({ floor, chosen, onOpen, joining }: CallsProps) {
  const { t } = useAmbience();
  const { calls, qualities } = useStore(floor.state);
  const listed = [...calls.values()].sort(
    (one, other) => urgency(other) - urgency(one) || Date.parse(one.created_at) - Date.parse(other.created_at),
  );
  return (
    <section className="rh-floor-part rh-floor-calls" aria-labelledby="rh-floor-calls">
      <h2 id="rh-floor-calls" className="rh-heading">
        {t("supervisor.calls")}
      </h2>
      {listed.length === 0 ? <p className="rh-muted rh-floor-empty">{t("supervisor.calls.empty")}</p> : null}
      <ul className="rh-floor-list">
        {listed.map((call) => (
          <CallRow
            key={call.id}
            call={call}
            quality={qualities.get(call.id) ?? "unknown"}
            chosen={call.id === chosen}
            onOpen={() => onOpen(call.id)}
            joining={joining}
          />
        ))}
      </ul>
    </section>
  );
}

function urgency(call: Call): number {
  return call.hand_raised_by === null ? 0 : 1;
}

export function QualityDot({ quality }: { quality: Quality }) {
  const { t } = useAmbience();
  const label = t(`supervisor.quality.${quality}`);
  return <span className={`rh-quality rh-quality-${quality}`} role="img" aria-label={label} title={label} data-quality={quality} />;
}

function CallRow({ call, quality, chosen, onOpen, joining }: { call: Call; quality: Quality; chosen: boolean; onOpen: () => void; joining: Joining }) {
  const { t } = useAmbience();
  const topicName = useTopicName();
  const { desk } = useSession();
  const agents = useSelected(desk.state, (state) => state.agents);
  const now = useNow(1000);
  const primary = call.participants.find((person) => person.role === "primary");
  const others = call.participants.filter((person) => person.kind !== "student" && person !== primary);
  const named = (identity: string, name: string): string => (name !== "" ? name : (agents.get(identity)?.name ?? identity));
  const student = call.student?.name ?? "";
  const seconds = (now - Date.parse(call.accepted_at ?? call.created_at)) / 1000;
  return (
    <li className="rh-card rh-floor-call" data-call={call.id} data-chosen={chosen} data-hand={call.hand_raised_by !== null}>
      <button type="button" className="rh-floor-call-main" onClick={onOpen} aria-expanded={chosen}>
        <Avatar id={call.student?.id ?? ""} name={student} size={36} />
        <span className="rh-floor-call-text">
          <span className="rh-floor-who">
            {call.student?.level === "vip" ? <span className="rh-vip">{t("level.vip")}</span> : null}
            <strong className="rh-floor-name">{student}</strong>
            <span className="rh-muted">{topicName(call.topic)}</span>
          </span>
          <span className="rh-muted rh-floor-small">
            {primary === undefined
              ? t("supervisor.call.nobody")
              : t("supervisor.call.with", { agent: named(primary.identity, primary.name) })}
            {others.length === 0
              ? ""
              : ` · ${t("supervisor.call.also", {
                  names: others.map((person) => `${named(person.identity, person.name)} (${t(`mode.${person.mode}`)})`).join(" · "),
                })}`}
          </span>
        </span>
        <span className="rh-floor-call-state">
          <span className="rh-row">
            <QualityDot quality={quality} />
            <time className="rh-figures" aria-label={t("supervisor.call.duration")}>
              {formatDuration(Math.max(0, seconds))}
            </time>
          </span>
          <span className="rh-muted rh-floor-small">
            {t(`kind.${call.kind}`)} · {t(`callState.${call.state}`)}
          </span>
        </span>
      </button>
      <JoinButtons call={call} joining={joining} onOpen={onOpen} />
    </li>
  );
}

const WAYS = [
  { mode: "monitor", icon: <EyeOutlined /> },
  { mode: "whisper", icon: <AudioOutlined /> },
  { mode: "barge", icon: <SoundOutlined /> },
] as const;

/** One click into the call. */
export function JoinButtons({ call, joining, onOpen }: { call: Call; joining: Joining; onOpen: () => void }) {
  const { t } = useAmbience();
  const { me } = useSession();
  const mode = joining.modeIn(call);
  const may = me.role === "supervisor";
  const busy = joining.busy === call.id;
  const waits = joining.busy !== null; // one step at a time: a click now would be lost
  const responsible = call.participants.some((person) => person.identity === me.id && person.role === "primary");
  if (responsible) return null;
  return (
    <div className="rh-floor-ways" role="group" aria-label={t("supervisor.call.actions", { name: call.student?.name ?? "" })}>
      {WAYS.map((way) => {
        const silent = !may ? t("supervisor.join.notSupervisor") : call.kind === "chat" ? t("supervisor.join.chat") : null;
        return (
          <Tooltip key={way.mode} title={silent ?? t(`supervisor.join.${way.mode}.hint`)}>
            <Button
              size="small"
              type={mode === way.mode ? "primary" : "default"}
              icon={way.icon}
              disabled={silent !== null || waits}
              loading={busy && mode !== way.mode ? { delay: 300 } : false}
              aria-pressed={mode === way.mode}
              data-join={way.mode}
              onClick={() => {
                onOpen();
                if (mode !== way.mode) void joining.join(call, way.mode);
              }}
            >
              {t(`supervisor.join.${way.mode}`)}
            </Button>
          </Tooltip>
        );
      })}
      <Tooltip title={may ? t("supervisor.join.takeover.hint") : t("supervisor.join.notSupervisor")}>
        <Button size="small" danger icon={<SwapOutlined />} disabled={!may || waits} data-join="takeover" onClick={() => void joining.takeOver(call)}>
          {t("supervisor.join.takeover")}
        </Button>
      </Tooltip>
    </div>
  );
}
