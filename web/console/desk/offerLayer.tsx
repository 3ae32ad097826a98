import { Button, Tag } from "antd";
import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { classOf, figuresOf, isChild, lessonMinutesLeft, levelOf, triedSteps } from "../../shared/desk/facts";
import type { Missed, Ringing } from "../../shared/desk/model";
import { lookup } from "../../shared/i18n/staff";
import { useAmbience, useAttentionState, useSelected, useSession } from "../context";
import { useProblems } from "../problems";
import { isEditable } from "../shell/shortcuts";
import { useTopicName } from "../topicName";
import { answerText } from "../words";
import { Avatar } from "./avatar";
import { useNow } from "./now";

/** Whatever page is open: the offer that rings, or what became of it. */
export function OfferLayer() {
  const { desk } = useSession();
  const ringing = useSelected(desk.state, (state) => state.ringing);
  const missed = useSelected(desk.state, (state) => state.missed);
  const first = ringing[0];
  if (first !== undefined) return <OfferCard key={first.offer.id} ringing={first} />;
  return missed === null ? null : <MissedCard missed={missed} />;
}

/** After the deadline the server decides; the card waits this long for its word, milliseconds. */
const LATE_MS = 1500;

function OfferCard({ ringing }: { ringing: Ringing }) {
  const { t, locale } = useAmbience();
  const topicName = useTopicName();
  const { desk } = useSession();
  const attention = useAttentionState();
  const { show } = useProblems();
  const navigate = useNavigate();
  const [busy, setBusy] = useState<"accept" | "decline" | null>(null);
  const now = useNow(200);
  const left = Math.max(0, ringing.deadlineMs - now);
  const over = now > ringing.deadlineMs + LATE_MS;
  const { call, offer } = ringing;
  const student = call?.student ?? null;

  useEffect(() => {
    if (over) desk.expire(offer.id);
  }, [over, desk, offer.id]);

  const accept = (): void => {
    if (busy !== null) return;
    setBusy("accept");
    desk.accept(offer).then(
      () => {
        if (desk.state.get().calls.some((each) => each.id === offer.call)) void navigate(`/desk/call/${offer.call}`);
      },
      (error: unknown) => {
        setBusy(null);
        show(error, accept);
      },
    );
  };
  const decline = (): void => {
    if (busy !== null) return;
    setBusy("decline");
    desk.decline(offer, "").catch((error: unknown) => {
      setBusy(null);
      show(error, decline);
    });
  };

  const act = useRef(accept);
  useEffect(() => {
    act.current = accept;
  });
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.key !== "Enter" || event.repeat || event.isComposing || event.defaultPrevented) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target;
      // Somebody writing ends a line; a focused button is pressed. Everywhere else Enter answers.
      if (target instanceof Element && (isEditable(target) || target.closest("button, a, [role='menuitem']") !== null)) return;
      event.preventDefault();
      act.current();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);

  const first = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // Nobody who types is interrupted; everybody else finds the answer under the finger.
    if (document.activeElement === null || !isEditable(document.activeElement)) first.current?.focus();
  }, []);

  const minutes = call === null ? null : lessonMinutesLeft(call, now);
  const level = student === null ? "" : levelOf(student);
  const leftS = Math.ceil(left / 1000);
  const severity = call === null ? "" : t(`severity.${call.severity}`);
  const tried = call === null ? [] : triedSteps(call).map((step) => answerText(t, "tried", step));
  const stats = call === null ? [] : figuresOf(call.context?.class_stats).slice(0, 4);
  const topic = call === null ? "" : topicName(call.topic);
  const opening = student !== null && isChild(student) ? "child" : (call?.severity ?? "general");
  const separator = locale === "zh-CN" ? "\u3001" : ", ";
  return (
    <section
      className={`rh-offer rh-offer-${call?.severity ?? "general"}`}
      role="alertdialog"
      aria-live="assertive"
      aria-label={t("offer.ringing")}
      data-offer={offer.id}
    >
      <Countdown share={left / ringing.durationMs} />
      <header>
        <Avatar id={student?.id ?? ""} name={student?.name ?? ""} size={52} pulsing />
        <div className="rh-offer-who">
          <p className="rh-offer-kicker">
            {t(offer.role !== "primary" ? "offer.consult" : offer.note === "" ? "offer.ringing" : "offer.transfer")}
            {call === null ? null : ` · ${t(`kind.${call.kind}`)}`}
          </p>
          <h2>
            {level === "" ? null : <span className="rh-vip">{lookup(t, `level.${level}`) ?? level}</span>}
            {student?.name ?? "…"}
          </h2>
          <p className="rh-offer-facts">
            {student === null || call === null
              ? "\u00a0"
              : [student.grade, classOf(call), student.age === null ? "" : t("offer.age", { n: student.age })]
                  .filter((each) => each !== "")
                  .join("\u00a0· ")}
          </p>
        </div>
        <p className="rh-offer-left" aria-hidden="true">
          {t("time.seconds", { n: leftS })}
        </p>
      </header>
      <div className="rh-offer-body">
        <p className="rh-offer-topic">
          <strong>{topic}</strong>
          {call === null ? null : (
            <span className={`rh-severity rh-severity-${call.severity}`}>
              {minutes === null || minutes === 0 ? severity : t("offer.lesson", { severity, n: minutes })}
            </span>
          )}
          {call !== null && call.subject.affected_count > 1 ? (
            <Tag color="volcano">{t("offer.affected", { n: call.subject.affected_count })}</Tag>
          ) : null}
        </p>
        <dl className="rh-offer-list">
          {offer.note === "" ? null : <Row label={t("offer.from")} text={offer.note} strong />}
          {call === null || call.note === "" ? null : <Row label={t("offer.note")} text={call.note} />}
          {tried.length === 0 ? null : <Row label={t("offer.tried")} text={tried.join(separator)} />}
          {stats.length === 0 ? null : (
            <Row label={t("student.stats")} text={stats.map(([key, value]) => `${lookup(t, `figures.key.${key}`) ?? key} ${value}`).join(" · ")} />
          )}
        </dl>
        <p className="rh-muted">
          {ringing.contacts === null
            ? "\u00a0"
            : ringing.contacts <= 1
              ? t("offer.contacts.first")
              : t("offer.contacts", { k: ringing.contacts })}
        </p>
        {offer.role === "primary" ? (
          <blockquote>
            <span>{t("offer.opening")}</span>
            {t(`offer.opening.${opening}`)}
          </blockquote>
        ) : null}
      </div>
      <footer>
        <Button ref={first} type="primary" size="large" loading={busy === "accept"} data-control="accept" onClick={accept}>
          {t("offer.accept")}
          <kbd>{t("offer.accept.key")}</kbd>
        </Button>
        <Button size="large" loading={busy === "decline"} data-control="decline" onClick={decline}>
          {t("offer.decline")}
        </Button>
        <span className="rh-offer-seconds">{t("offer.seconds", { s: leftS })}</span>
      </footer>
      {attention?.muted === true ? (
        <button type="button" className="rh-offer-sound" onClick={() => void attention.ring.wake()}>
          {t("desk.sound.blocked")}
        </button>
      ) : null}
    </section>
  );
}

function Row({ label, text, strong = false }: { label: string; text: string; strong?: boolean }) {
  return (
    <div className={strong ? "rh-strong" : undefined}>
      <dt>{label}</dt>
      <dd>{text}</dd>
    </div>
  );
}

/** A line that runs out. */
function Countdown({ share }: { share: number }) {
  return (
    <div className={share < 0.3 ? "rh-countdown rh-countdown-late" : "rh-countdown"} aria-hidden="true">
      <span style={{ transform: `scaleX(${Math.max(0, Math.min(1, share))})` }} />
    </div>
  );
}

function MissedCard({ missed }: { missed: Missed }) {
  const { t } = useAmbience();
  const { desk } = useSession();
  return (
    <section className="rh-missed" role="status" data-missed={missed.why}>
      <div>
        {missed.name === "" ? null : <strong>{missed.name}</strong>}
        <p>{t(`offer.missed.${missed.why}`)}</p>
      </div>
      <Button size="small" onClick={() => desk.forgetMissed()}>
        {t("action.dismiss")}
      </Button>
    </section>
  );
}
