import { formatDuration } from "../../shared/format";
import type { Waiting } from "../../shared/desk/model";
import { useAmbience, useSelected, useSession } from "../context";
import { useNow } from "../desk/now";
import { useTopicName } from "../topicName";

/** Waiting longer than this is shown as long, in seconds: the first promise ("3-5-8") is three minutes. */
const LONG_S = 120;

/** Queues, and in each who waits and how long. */
export function QueuesPart() {
  const { t } = useAmbience();
  const { desk } = useSession();
  const queues = useSelected(desk.state, (state) => state.queues);
  return (
    <section className="rh-floor-part" aria-labelledby="rh-floor-queues">
      <h2 id="rh-floor-queues" className="rh-heading">
        {t("supervisor.queues")}
      </h2>
      <ul className="rh-floor-list">
        {queues.map((queue) => (
          <li key={queue.id} className="rh-card rh-floor-queue" data-queue={queue.id}>
            <p className="rh-floor-queue-head">
              <strong>{queue.name === "" ? queue.id : queue.name}</strong>
              {queue.open ? null : <span className="rh-severity">{t("supervisor.queue.closed")}</span>}
              <span className="rh-end rh-floor-count" data-warn={queue.waiting > 0}>
                {t("supervisor.queue.waiting", { n: queue.waiting })}
              </span>
            </p>
            <p className="rh-muted rh-floor-small">
              {t("supervisor.queue.staff", { free: queue.agents_available, online: queue.agents_online })}
            </p>
            {(queue.calls ?? []).length === 0 ? null : (
              <ol className="rh-floor-waiting">
                {(queue.calls ?? []).map((call) => (
                  <WaitingRow key={call.call} call={call} />
                ))}
              </ol>
            )}
          </li>
        ))}
      </ul>
      {queues.every((queue) => queue.waiting === 0) ? <p className="rh-muted rh-floor-empty">{t("supervisor.queues.empty")}</p> : null}
    </section>
  );
}

function WaitingRow({ call }: { call: Waiting }) {
  const { t } = useAmbience();
  const topicName = useTopicName();
  const now = useNow(1000);
  const waited = Math.max(0, (now - Date.parse(call.since)) / 1000);
  return (
    <li data-waiting={call.call}>
      <span className="rh-floor-who">
        {call.level === "vip" ? <span className="rh-vip">{t("level.vip")}</span> : null}
        <span className="rh-floor-name">{call.name === "" ? call.student : call.name}</span>
      </span>
      <span className="rh-floor-what">
        {topicName(call.topic)}
        {call.severity === "class_stopping" ? (
          <span className={`rh-severity rh-severity-${call.severity}`}>{t(`severity.${call.severity}`)}</span>
        ) : null}
      </span>
      <time className={`rh-figures ${waited > LONG_S ? "rh-warn" : "rh-muted"}`} aria-label={t("supervisor.queue.waited", { time: formatDuration(waited) })}>
        {formatDuration(waited)}
      </time>
    </li>
  );
}
