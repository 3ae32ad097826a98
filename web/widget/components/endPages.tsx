import { useEffect, useRef } from "preact/hooks";
import type { HelpState } from "../../shared/help/model";
import { NOTE_CHARACTERS } from "../../shared/help/reducer";
import { useAmbience } from "../context";
import { ClockIcon, FrownIcon, PhoneIcon, SmileIcon, StarIcon } from "../icons";
import { clockTime } from "../times";
import { Buttons, Choice, Ticket } from "./parts";

const STARS = [1, 2, 3, 4, 5] as const;

export function RatingPage({ state }: { state: HelpState }) {
  const { t, controller } = useAmbience();
  const { rating, call } = state;
  const said = rating.resolved !== null || rating.stars > 0;
  return (
    <div class="page rating" data-page="rating">
      <h2 tabindex={-1}>{t("rating.title")}</h2>
      <Choice
        name="resolved"
        label={t("rating.title")}
        value={rating.resolved === null ? null : rating.resolved ? "yes" : "no"}
        options={[
          { value: "yes", label: t("rating.yes"), icon: <SmileIcon /> },
          { value: "no", label: t("rating.no"), icon: <FrownIcon /> },
        ]}
        onChoose={(answer) => controller.rating.draft({ resolved: answer === "yes" })}
      />
      <p class="field-label centred">{t("rating.stars")}</p>
      <div class="stars" role="radiogroup" aria-label={t("rating.stars")}>
        {STARS.map((n) => (
          <button
            key={n}
            type="button"
            role="radio"
            aria-checked={rating.stars === n}
            aria-label={t("rating.star", { n })}
            data-stars={n}
            onClick={() => controller.rating.draft({ stars: n })}
          >
            <StarIcon lit={n <= rating.stars} />
          </button>
        ))}
      </div>
      <textarea
        class="field"
        rows={3}
        maxLength={NOTE_CHARACTERS}
        aria-label={t("rating.comment")}
        placeholder={t("rating.comment")}
        value={rating.comment}
        onInput={(event) => controller.rating.draft({ comment: event.currentTarget.value })}
      />
      <Buttons>
        <button type="button" class="button primary" data-action="rate" disabled={!said} onClick={() => void controller.rating.send()}>
          {t("rating.send")}
        </button>
        <button type="button" class="button" data-action="skip-rating" onClick={() => controller.rating.skip()}>
          {t("rating.skip")}
        </button>
      </Buttons>
      {call !== null && <Ticket label={t("waiting.ticket")} number={call.ticket} />}
      {state.classRestored && <p class="hint">{t("rating.restored")}</p>}
    </div>
  );
}

export function DonePage({ state, onClose }: { state: HelpState; onClose: (() => void) | null }) {
  const { t, locale, controller } = useAmbience();
  const resolved = state.rating.resolved ?? state.call?.rating?.resolved ?? null;
  const text =
    resolved !== false
      ? t("rating.thanks")
      : state.promisedAt === null
        ? t("rating.notYetOpen")
        : t("rating.notYet", { time: clockTime(new Date(state.promisedAt), locale) });
  return (
    <div class="page done" data-page="done">
      <span class={`big-icon${resolved === false ? " calm" : ""}`}>{resolved === false ? <ClockIcon /> : <SmileIcon />}</span>
      <h2 tabindex={-1}>{text}</h2>
      {state.call !== null && (
        <>
          <Ticket label={t("waiting.ticket")} number={state.call.ticket} />
          <p class="hint">{t("rating.ticket")}</p>
        </>
      )}
      <Buttons>
        {onClose !== null && (
          <button
            type="button"
            class="button primary"
            data-action="finish"
            onClick={() => {
              controller.asking.again();
              onClose();
            }}
          >
            {t("rating.done")}
          </button>
        )}
        <button type="button" class="button" data-action="again" onClick={() => controller.asking.again()}>
          {t("rating.helpAgain")}
        </button>
      </Buttons>
    </div>
  );
}

export function CallbackPage({ state }: { state: HelpState }) {
  const { t, locale, controller } = useAmbience();
  const ticket = state.call?.ticket ?? "";
  return (
    <div class="page done" data-page="callback">
      <span class="big-icon">
        <ClockIcon />
      </span>
      <h2 tabindex={-1}>{t("callback.promised")}</h2>
      <p>
        {state.promisedAt === null
          ? t("callback.atUnknown", { ticket })
          : t("callback.at", { time: clockTime(new Date(state.promisedAt), locale), ticket })}
      </p>
      <Ticket label={t("waiting.ticket")} number={ticket} />
      <Buttons>
        <button type="button" class="button" data-action="again" onClick={() => controller.asking.again()}>
          {t("callback.again")}
        </button>
      </Buttons>
    </div>
  );
}

export function SummonedPage({ state }: { state: HelpState }) {
  const { t, controller } = useAmbience();
  const answer = useRef<HTMLButtonElement>(null);
  useEffect(() => answer.current?.focus(), []);
  return (
    <div class="page done" data-page="summoned" role="alert">
      <span class="big-icon ringing">
        <PhoneIcon />
      </span>
      <h2 tabindex={-1}>{t("callback.ringing")}</h2>
      <p>{t("callback.ringingText", { ticket: state.call?.ticket ?? "" })}</p>
      <Buttons>
        <button ref={answer} type="button" class="button primary" data-action="answer" onClick={() => controller.talk.answerSummons()}>
          {t("callback.answer")}
        </button>
        <button type="button" class="button" data-action="not-now" onClick={() => void controller.asking.callBack(null)}>
          {t("callback.notNow")}
        </button>
      </Buttons>
    </div>
  );
}

export function LostPage({ state }: { state: HelpState }) {
  const { t, controller } = useAmbience();
  const ticket = state.call?.ticket ?? "";
  const abandoned = state.call?.closed_reason === "abandoned";
  return (
    <div class="page done" data-page="lost">
      <span class="big-icon calm">
        <ClockIcon />
      </span>
      <h2 tabindex={-1}>{t(abandoned ? "problem.abandoned" : "problem.failed", { ticket })}</h2>
      {ticket !== "" && <Ticket label={t("waiting.ticket")} number={ticket} />}
      <Buttons>
        <button type="button" class="button primary" data-action="again" onClick={() => controller.asking.again()}>
          {t("problem.again")}
        </button>
      </Buttons>
    </div>
  );
}
