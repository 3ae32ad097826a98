import { useState } from "preact/hooks";
import type { HelpState } from "../../shared/help/model";
import { useAmbience, useStore } from "../context";
import { ShieldIcon } from "../icons";
import { Buttons, Card, copyText } from "./parts";

/** Nobody decides for a guest who may not: nothing of such a guest is recorded. */
function nobodyDecides(state: HelpState, minor: boolean): boolean {
  return state.guest !== null && minor;
}

/** Whether the call may be recorded: asked once, refusing costs nothing, and it can be changed at any time. */
export function ConsentCard({ state }: { state: HelpState }) {
  const { t, controller, minor } = useAmbience();
  const info = useStore(controller.terms.info);
  const [details, setDetails] = useState(false);
  const [copied, setCopied] = useState(false);
  if (info === null || state.call === null || nobodyDecides(state, minor)) return null;
  const { days } = info.notice;

  if (state.guardianLink !== null && state.consent === null) {
    const link = state.guardianLink;
    const share = (navigator as { share?: Navigator["share"] }).share;
    return (
      <Card name="consent-link" icon={<ShieldIcon />} title={t("consent.linkTitle")}>
        <p>{t("consent.linkText")}</p>
        <input class="field mono" readOnly value={link} aria-label={t("consent.linkTitle")} onFocus={(event) => event.currentTarget.select()} />
        <Buttons>
          <button type="button" class="button primary" data-action="copy-link" onClick={() => void copyText(link).then(setCopied)}>
            {copied ? t("consent.copied") : t("consent.copy")}
          </button>
          {share !== undefined && (
            <button type="button" class="button" onClick={() => void share.call(navigator, { url: link }).catch(() => undefined)}>
              {t("consent.share")}
            </button>
          )}
          <button type="button" class="button" data-action="link-done" onClick={() => controller.consent.finishGuardianLink()}>
            {t("call.dismiss")}
          </button>
        </Buttons>
        <p class="hint">{t("consent.sent")}</p>
      </Card>
    );
  }
  if (state.consent !== null || state.consentRests) return null;
  return (
    <Card name="consent" icon={<ShieldIcon />} title={t("consent.title")}>
      <p>{minor ? t("consent.minor") : t(state.guest === null ? "consent.adult" : "consent.guest", { days })}</p>
      {details && <p>{t("consent.detailsText")}</p>}
      <Buttons>
        {minor ? (
          <>
            <button type="button" class="button" data-action="guardian" onClick={() => void controller.consent.makeGuardianLink()}>
              {t("consent.toGuardian")}
            </button>
            <button type="button" class="button" data-action="rest-consent" onClick={() => controller.consent.rest()}>
              {t("consent.notNow")}
            </button>
          </>
        ) : (
          <>
            <button type="button" class="button" data-action="agree" onClick={() => void controller.consent.decide("granted")}>
              {t("consent.agree")}
            </button>
            <button type="button" class="button" data-action="refuse" onClick={() => void controller.consent.decide("refused")}>
              {t("consent.refuse")}
            </button>
          </>
        )}
        {!details && (
          <button type="button" class="link" onClick={() => setDetails(true)}>
            {t("consent.details")}
          </button>
        )}
      </Buttons>
    </Card>
  );
}

/** What was decided, with the way to change it; stands behind "more". */
export function ConsentState({ state }: { state: HelpState }) {
  const { t, controller, minor } = useAmbience();
  if (nobodyDecides(state, minor)) return null;
  const now =
    state.consent === "granted"
      ? t("consent.granted")
      : state.consent === "withdrawn"
        ? t("consent.withdrawn")
        : state.guardianLink !== null && state.consent === null
          ? t("consent.sent")
          : t("consent.refused");
  return (
    <div class="consent-state">
      <span>{t("consent.manage", { state: now })}</span>
      {state.consent === "granted" && (
        <button type="button" class="link" data-action="withdraw" onClick={() => void controller.consent.decide("withdrawn")}>
          {t("consent.withdraw")}
        </button>
      )}
      {state.consent !== "granted" && minor && (
        <button type="button" class="link" onClick={() => void controller.consent.makeGuardianLink()}>
          {t("consent.toGuardian")}
        </button>
      )}
      {state.consent !== "granted" && !minor && (
        <button type="button" class="link" onClick={() => void controller.consent.decide("granted")}>
          {t("consent.agree")}
        </button>
      )}
    </div>
  );
}
