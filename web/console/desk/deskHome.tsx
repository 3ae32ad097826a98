import { Button, Empty, Skeleton, Table, Tag } from "antd";
import { useCallback, useEffect, useState } from "react";
import { type Schemas, unwrap } from "../../shared/api/client";
import { levelOf, minutesUntil } from "../../shared/desk/facts";
import type { Queue, Waiting } from "../../shared/desk/model";
import { formatDuration } from "../../shared/format";
import { lookup } from "../../shared/i18n/staff";
import { requestMicrophone } from "../attention/microphone";
import { useAmbience, useAttentionState, useSelected, useSession } from "../context";
import { useProblems } from "../problems";
import { useTopicName } from "../topicName";
import { whenText } from "../words";
import { useNow } from "./now";

/** How often the waiting lists are read, milliseconds: no event tells of others' calls. */
const EVERY_MS = 4000;
const RECENT = 12;

export function DeskHome() {
  const { desk } = useSession();
  const agent = useSelected(desk.state, (state) => state.me);
  const queues = useSelected(desk.state, (state) => state.queues);
  const loaded = useSelected(desk.state, (state) => state.loaded);
  const mine = queues.filter((queue) => agent?.queues.includes(queue.id) ?? false);
  const ids = mine.map((queue) => queue.id).join("\n");

  useEffect(() => {
    const read = (): void => {
      if (document.hidden) return;
      const all = ids === "" ? [] : ids.split("\n");
      void desk
        .refreshQueues()
        .then(() => Promise.all(all.map((id) => desk.refreshQueue(id))))
        .catch(() => undefined); // The next round tries again; the stream's banner tells of a lost connection.
    };
    read();
    const timer = setInterval(read, EVERY_MS);
    return () => clearInterval(timer);
  }, [desk, ids]);

  return (
    <div className="rh-home">
      <div className="rh-home-main">
        <Readiness />
        <QueueCards queues={mine} loaded={loaded} />
        <WaitingList queues={mine} />
      </div>
      <Recent />
    </div>
  );
}

function Readiness() {
  const { t } = useAmbience();
  const { desk, me } = useSession();
  const attention = useAttentionState();
  const { guard } = useProblems();
  const agent = useSelected(desk.state, (state) => state.me);
  const [busy, setBusy] = useState(false);
  if (agent === null) return null;
  const begin = async (): Promise<void> => {
    setBusy(true);
    void attention?.ring.wake();
    await guard(() => desk.setState("available", ""));
    setBusy(false);
    await attention?.askForNotifications();
    await requestMicrophone();
  };
  const kind = agent.state === "available" ? "ready" : agent.state === "offline" ? "start" : "away";
  return (
    <section className={`rh-readiness rh-readiness-${kind}`} data-readiness={kind}>
      <span className={`rh-dot rh-dot-${agent.state}`} />
      <div>
        <h1>{kind === "start" ? t("desk.start.title", { name: me.name }) : t(`desk.${kind}.title`)}</h1>
        <p>{t(`desk.${kind}.text`)}</p>
      </div>
      {kind === "ready" ? (
        <Button onClick={() => attention?.ring.once()}>{t("desk.sound.test")}</Button>
      ) : (
        <Button type="primary" size="large" loading={busy} data-control="start" onClick={() => void begin()}>
          {kind === "start" ? t("desk.start.button") : t("desk.away.button")}
        </Button>
      )}
    </section>
  );
}

function QueueCards({ queues, loaded }: { queues: readonly Queue[]; loaded: boolean }) {
  const { t } = useAmbience();
  if (!loaded) return <Skeleton active paragraph={{ rows: 2 }} />;
  return (
    <section>
      <h2 className="rh-heading">{t("desk.queues")}</h2>
      {queues.length === 0 ? <p className="rh-muted">{t("desk.queues.none")}</p> : null}
      <div className="rh-queues">
        {queues.map((queue) => (
          <article key={queue.id} className="rh-queue" data-queue={queue.id}>
            <header>
              <strong>{queue.name === "" ? queue.id : queue.name}</strong>
              <span className={queue.open ? "rh-open" : "rh-closed"}>{queue.open ? t("desk.queue.open") : t("desk.queue.closed")}</span>
            </header>
            <dl>
              <div className={queue.waiting > 0 ? "rh-queue-hot" : undefined}>
                <dd>{queue.waiting}</dd>
                <dt>{t("desk.queue.waiting")}</dt>
              </div>
              <div>
                <dd>{queue.waiting === 0 ? "–" : formatDuration(queue.longest_wait_s)}</dd>
                <dt>{t("desk.queue.longest")}</dt>
              </div>
              <div>
                <dd>
                  {queue.agents_available}
                  <small>/{queue.agents_online}</small>
                </dd>
                <dt>{t("desk.queue.free")}</dt>
              </div>
            </dl>
          </article>
        ))}
      </div>
    </section>
  );
}

function WaitingList({ queues }: { queues: readonly Queue[] }) {
  const { t } = useAmbience();
  const topicName = useTopicName();
  const now = useNow(1000);
  const rows = queues.flatMap((queue) => queue.calls ?? []);
  return (
    <section>
      <h2 className="rh-heading">{t("desk.waiting")}</h2>
      {rows.length === 0 ? (
        <Empty className="rh-card rh-empty" image={Empty.PRESENTED_IMAGE_SIMPLE} description={t("desk.waiting.none")} />
      ) : (
        <Table<Waiting>
          className="rh-card"
          size="small"
          rowKey="call"
          dataSource={rows}
          pagination={rows.length > 20 ? { pageSize: 20, showSizeChanger: false } : false}
          columns={[
            {
              title: t("desk.waiting.student"),
              key: "student",
              render: (_, row) => (
                <>
                  {levelOf(row) === "" ? null : (
                    <span className="rh-vip">{lookup(t, `level.${row.level}`) ?? row.level}</span>
                  )}
                  {row.name}
                </>
              ),
            },
            {
              title: t("desk.waiting.topic"),
              key: "topic",
              render: (_, row) => (
                <span className="rh-row">
                  {topicName(row.topic)}
                  <span className={`rh-severity rh-severity-${row.severity}`}>{t(`severity.${row.severity}`)}</span>
                  {row.affected_count > 1 ? <Tag>{t("desk.waiting.many", { n: row.affected_count })}</Tag> : null}
                </span>
              ),
            },
            {
              title: t("desk.waiting.lesson"),
              key: "lesson",
              width: 110,
              render: (_, row) => (row.lesson_ends_at === null ? "–" : t("time.minutes", { n: minutesUntil(row.lesson_ends_at, now) })),
            },
            {
              title: t("desk.waiting.waited"),
              key: "waited",
              width: 90,
              align: "right",
              render: (_, row) => <span className="rh-figures">{formatDuration((now - Date.parse(row.since)) / 1000)}</span>,
            },
          ]}
        />
      )}
    </section>
  );
}

function Recent() {
  const { t, locale } = useAmbience();
  const topicName = useTopicName();
  const { api, me, desk } = useSession();
  const { show } = useProblems();
  const [calls, setCalls] = useState<readonly Schemas["CallAnswer"][] | null>(null);
  const open = useSelected(desk.state, (state) => state.calls.length);
  const read = useCallback(() => {
    unwrap(api.GET("/v1/calls", { params: { query: { agent: me.id, limit: RECENT } } })).then(
      ({ items }) => setCalls(items),
      (error: unknown) => {
        setCalls([]);
        show(error, read);
      },
    );
  }, [api, me.id, show]);
  useEffect(read, [read, open]);
  const done = (calls ?? []).filter((call) => call.state === "closed");
  return (
    <aside className="rh-recent">
      <h2 className="rh-heading">{t("desk.recent")}</h2>
      {calls === null ? <Skeleton active /> : null}
      {calls !== null && done.length === 0 ? <p className="rh-muted">{t("desk.recent.none")}</p> : null}
      <ul>
        {done.map((call) => (
          <li key={call.id} className="rh-card">
            <p className="rh-row">
              <strong>{call.student?.name}</strong>
              <span className="rh-muted rh-end">{whenText(t, locale, call.created_at)}</span>
            </p>
            <p className="rh-row rh-muted">
              {topicName(call.topic)}
              {call.wrapup === null ? (
                <span className="rh-end">{call.closed_reason === null ? "" : t(`closedReason.${call.closed_reason}`)}</span>
              ) : (
                <span className={`rh-end ${call.wrapup.resolved ? "rh-good" : "rh-warn"}`}>
                  {call.wrapup.resolved ? t("desk.recent.resolved") : t("desk.recent.unresolved")}
                </span>
              )}
            </p>
          </li>
        ))}
      </ul>
    </aside>
  );
}
