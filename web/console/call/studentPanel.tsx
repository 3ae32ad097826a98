import { Tag } from "antd";
import type { ReactNode } from "react";
import { classOf, factsOf, figuresOf, levelOf, plain } from "../../shared/desk/facts";
import type { Call, Student } from "../../shared/desk/model";
import { formatClock, formatDuration } from "../../shared/format";
import { lookup, type StaffTranslate } from "../../shared/i18n/staff";
import { useAmbience, useSelected, useSession } from "../context";
import { Avatar } from "../desk/avatar";
import { answerText } from "../words";

/** Who it is and what is known: profile, request, device, answers, what the class measured. */
export function StudentPanel({ call }: { call: Call }) {
  const { t, locale } = useAmbience();
  const { desk } = useSession();
  const agents = useSelected(desk.state, (state) => state.agents);
  const queues = useSelected(desk.state, (state) => state.queues);
  const { student, context } = call;
  if (student === null) return null;
  const level = levelOf(student);
  const consent = call.consents.find((each) => each.participant === student.id)?.decision ?? "none";
  const waited = call.accepted_at === null ? null : (Date.parse(call.accepted_at) - Date.parse(call.created_at)) / 1000;
  const clock = (at: string | null | undefined): string => (at == null ? "" : formatClock(Date.parse(at), locale));
  const hours = [clock(context?.lesson_starts_at), clock(context?.lesson_ends_at)];
  const lesson = [context?.lesson_id ?? "", hours.every((each) => each !== "") ? hours.join("–") : ""]
    .filter((each) => each !== "")
    .join(" · ");
  return (
    <div className="rh-student">
      <header>
        <Avatar id={student.id} name={student.name} size={46} />
        <div>
          <h2>
            {level === "" ? null : <span className="rh-vip">{lookup(t, `level.${level}`) ?? level}</span>}
            {student.name}
          </h2>
          <p className="rh-muted">
            {[student.grade, classOf(call), ageText(t, student)].filter((each) => each !== "").join(" · ")}
          </p>
        </div>
      </header>
      <p className="rh-tags">
        {student.minor ? <Tag color="gold">{t("offer.minor")}</Tag> : null}
        <Tag color={consent === "granted" ? "green" : undefined}>
          {t(consent === "granted" ? "call.recording.granted" : consent === "none" ? "call.recording.none" : "call.recording.refused")}
        </Tag>
        {call.subject.relation === "self" ? null : <Tag>{t(`student.for.${call.subject.relation}`)}</Tag>}
        {call.subject.affected_count > 1 ? <Tag color="volcano">{t("offer.affected", { n: call.subject.affected_count })}</Tag> : null}
      </p>

      <Section title={t("student.request")}>
        {call.note === "" ? null : <blockquote className="rh-quote">{call.note}</blockquote>}
        <Facts
          rows={[
            [t("student.queue"), queues.find((queue) => queue.id === call.queue)?.name ?? call.queue],
            [t("student.waited"), waited === null ? "" : formatDuration(waited)],
            [t("student.lesson"), lesson],
          ]}
        />
      </Section>
      <Section title={t("student.answers")} empty={t("student.answers.none")}>
        {answersOf(t, call)}
      </Section>
      <Section title={t("student.stats")} empty={t("student.stats.none")}>
        {statsOf(t, context?.class_stats ?? {})}
      </Section>
      <Section title={t("student.device")}>
        <Facts
          rows={[
            [t("student.device.device"), context?.device ?? ""],
            [t("student.device.os"), context?.os ?? ""],
            [t("student.device.browser"), context?.browser ?? ""],
            [t("student.device.app"), context?.app_version ?? ""],
            [t("student.device.network"), context?.network ?? ""],
            [t("student.device.page"), context?.page_url ?? ""],
          ]}
        />
      </Section>
      {(context?.transcript.length ?? 0) === 0 ? null : (
        <Section title={t("student.transcript")}>
          <ol className="rh-transcript">
            {context?.transcript.map((line, index) => (
              <li key={index}>
                <span>{speakerOf(t, line)}</span>
                {plain(line.text ?? line.content ?? line.message)}
              </li>
            ))}
          </ol>
        </Section>
      )}
      <Section title={t("student.more")}>
        <Facts
          rows={[
            [t("student.courses"), (student.courses ?? []).join(" · ")],
            [t("student.tier"), student.tier],
            [t("student.age"), student.age === null ? t("student.age.unknown") : ""],
            [t("student.language"), student.locale ?? ""],
            [t("student.guardian"), student.guardian ?? ""],
            [t("student.dedicated"), student.dedicated_agent === null ? "" : (agents.get(student.dedicated_agent)?.name ?? student.dedicated_agent)],
            [t("student.id"), student.id],
            ...factsOf(student.extra, ["class_id"]),
          ]}
        />
      </Section>
    </div>
  );
}

function ageText(t: StaffTranslate, student: Student): string {
  return student.age === null ? "" : t("offer.age", { n: student.age });
}

function speakerOf(t: StaffTranslate, line: Readonly<Record<string, unknown>>): string {
  const role = plain(line.role ?? line.from ?? line.author);
  return lookup(t, `history.from.${role}`) ?? lookup(t, `history.channel.${role}`) ?? role;
}

function answersOf(t: StaffTranslate, call: Call): ReactNode {
  const rows = factsOf(call.context?.answers).map(
    ([key, value]) => [lookup(t, `answer.${key}`) ?? key, answerText(t, key, value)] as const,
  );
  return rows.length === 0 ? null : <Facts rows={rows} />;
}

function statsOf(t: StaffTranslate, stats: Readonly<Record<string, unknown>>): ReactNode {
  const rows = figuresOf(stats).map(([key, value]) => [lookup(t, `figures.key.${key}`) ?? key, value] as const);
  return rows.length === 0 ? null : <Facts rows={rows} />;
}

function Section({ title, empty, children }: { title: string; empty?: string; children: ReactNode }) {
  return (
    <section className="rh-section">
      <h3>{title}</h3>
      {children ?? (empty === undefined ? null : <p className="rh-muted">{empty}</p>)}
    </section>
  );
}

export function Facts({ rows }: { rows: readonly (readonly [string, string])[] }) {
  const known = rows.filter(([, value]) => value !== "");
  if (known.length === 0) return null;
  return (
    <dl className="rh-facts">
      {known.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
