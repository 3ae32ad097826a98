import { useState } from "preact/hooks";
import type { HelpState, Place } from "../../shared/help/model";
import { choiceOf, GENERAL, QUESTIONS, questionsOf } from "../../shared/help/topics";
import type { Translate } from "../../shared/i18n/student/translate";
import { useAmbience, useStore, useTick } from "../context";
import { BulbIcon, MusicIcon } from "../icons";
import { callbackTimes, clockTime } from "../times";
import { ConsentCard } from "./consentCard";
import { MicrophoneCard } from "./microphoneCard";
import { Buttons, Card, Choice, Ticket } from "./parts";

/** From this wait on the long text with the call-back is shown, in seconds. */
const LONG_S = 300;

export function WaitingPage({ state, onChat }: { state: HelpState; onChat: () => void }) {
  const { t, locale, controller } = useAmbience();
  const [asking, setAsking] = useState<"callback" | "cancel" | null>(null);
  useTick(15_000);
  const { call, place } = state;
  if (call === null) return null;
  const waitedS = (Date.now() - Date.parse(call.created_at)) / 1000;
  const long = (place?.estimated_wait_s?.high ?? 0) >= LONG_S || waitedS > LONG_S;
  const advice = (place?.advice ?? [])
    .map((each) => each[locale] ?? each.en ?? "")
    .slice(0, -1) // The last one is general: that the class may go on, which stands here anyway.
    .filter((text) => text !== "");

  if (asking === "callback") return <CallbackChoice onBack={() => setAsking(null)} />;
  return (
    <div class="page waiting" data-page="waiting">
      <div class="waiting-head">
        <span class="pulse" aria-hidden="true" />
        <h2 tabindex={-1}>{t("waiting.received")}</h2>
        <Ticket label={t("waiting.ticket")} number={call.ticket} />
      </div>
      <div class="standing" role="status">
        <strong class="place-ahead">{aheadText(place, t)}</strong>
        <span class="place-wait">{waitText(place, t)}</span>
      </div>
      {state.again === "cutOff" && <p class="again">{t("waiting.again")}</p>}
      {state.again === "transfer" && state.transfer === null && <p class="again">{t("waiting.transferred")}</p>}
      {place !== null && !place.open && typeof place.opens_at === "string" && (
        <p class="again">{t("waiting.closed", { time: clockTime(new Date(place.opens_at), locale) })}</p>
      )}
      <p class="carry-on">{t(long && state.again === null ? "waiting.long" : state.kind === "chat" ? "waiting.carryOnChat" : "waiting.carryOn")}</p>
      <Buttons>
        <button type="button" class="button" data-action="callback" onClick={() => setAsking("callback")}>
          {t("waiting.callback")}
        </button>
        <button type="button" class="button" data-action="cancel" onClick={() => setAsking("cancel")}>
          {t("waiting.cancel")}
        </button>
        {state.kind !== "chat" && (
          <button type="button" class="button" data-action="write" onClick={onChat}>
            {t("waiting.write")}
          </button>
        )}
      </Buttons>
      {asking === "cancel" && (
        <Card name="cancel" tone="warning" title={t("waiting.cancelSure")}>
          <Buttons>
            <button type="button" class="button danger" data-action="cancel-yes" onClick={() => void controller.asking.cancel()}>
              {t("waiting.cancelYes")}
            </button>
            <button type="button" class="button" onClick={() => setAsking(null)}>
              {t("waiting.cancelNo")}
            </button>
          </Buttons>
        </Card>
      )}
      <MicrophoneCard state={state} onType={onChat} />
      {state.kind !== "chat" && (
        <button
          type="button"
          class="switch"
          role="switch"
          aria-checked={!state.musicMuted}
          data-action="music"
          onClick={() => controller.asking.muteMusic(!state.musicMuted)}
        >
          <MusicIcon />
          <span>{t(state.musicMuted ? "waiting.musicOff" : "waiting.musicOn")}</span>
          <span class="switch-knob" aria-hidden="true" />
        </button>
      )}
      {advice.length > 0 && (
        <Card name="advice" icon={<BulbIcon />} title={t("waiting.tryThis")}>
          {advice.map((text) => (
            <p key={text}>{text}</p>
          ))}
        </Card>
      )}
      <Questions state={state} />
      <ConsentCard state={state} />
    </div>
  );
}

export function aheadText(place: Place | null, t: Translate): string {
  const position = place?.position ?? null;
  if (position === null) return t("waiting.placeUnknown");
  return position <= 1 ? t("waiting.next") : t("waiting.ahead", { n: position - 1 });
}

export function waitText(place: Place | null, t: Translate): string {
  const wait = place?.estimated_wait_s ?? null;
  if (wait === null) return (place?.position ?? null) === null ? "" : t("waiting.rangeUnknown");
  const low = Math.floor(wait.low / 60);
  const high = Math.max(1, Math.ceil(wait.high / 60));
  if (high <= 1) return t("waiting.soon");
  return low < 1 ? t("waiting.upTo", { high }) : t("waiting.range", { low, high });
}

/** Questions answered by tapping. All are optional; the agent reads the answers before accepting. */
function Questions({ state }: { state: HelpState }) {
  const { t, controller } = useAmbience();
  const topics = useStore(controller.list.topics);
  const topic = state.topic ?? GENERAL;
  const questions = questionsOf(topic, choiceOf(topic, topics));
  if (questions.length === 0) return null;
  const done = questions.every((question) => state.answers[question] !== undefined);
  return (
    <section class="questions">
      <h3>{t("waiting.questions")}</h3>
      {questions.map((question) => (
        <div key={question} class="question">
          <p>{t(`question.${question}`)}</p>
          <Choice
            name={`question-${question}`}
            label={t(`question.${question}`)}
            value={state.answers[question] ?? null}
            options={[
              ...QUESTIONS[question].map((answer) => ({
                value: answer,
                label: t(`question.${question}.${answer}` as "question.scope.all"),
              })),
              { value: "unsure", label: t("question.unsure") },
            ]}
            onChoose={(answer) => controller.asking.answer(question, answer)}
          />
        </div>
      ))}
      <p class="hint" role="status">
        {done ? t("waiting.questionsDone") : ""}
      </p>
    </section>
  );
}

function CallbackChoice({ onBack }: { onBack: () => void }) {
  const { t, locale, controller, lessonEndsAt } = useAmbience();
  const [times] = useState(() => callbackTimes(new Date(), lessonEndsAt));
  const [chosen, setChosen] = useState(0);
  return (
    <div class="page" data-page="callback-choice">
      <h2 tabindex={-1}>{t("callback.title")}</h2>
      <div class="times" role="radiogroup" aria-label={t("callback.title")}>
        {times.map(({ key, at }, index) => {
          const time = at === null ? "" : clockTime(at, locale, key === "tomorrow" ? at : new Date());
          return (
            <button key={key} type="button" role="radio" aria-checked={index === chosen} data-time={key} onClick={() => setChosen(index)}>
              {key === "soon" || key === "in30" ? t(`callback.${key}`) : t(`callback.${key}`, { time })}
            </button>
          );
        })}
      </div>
      <Buttons>
        <button
          type="button"
          class="button primary"
          data-action="callback-confirm"
          onClick={() => void controller.asking.callBack(times[chosen]?.at ?? null)}
        >
          {t("callback.confirm")}
        </button>
        <button type="button" class="button" onClick={onBack}>
          {t("callback.keepWaiting")}
        </button>
      </Buttons>
    </div>
  );
}
