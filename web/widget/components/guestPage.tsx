import { MicrophoneIcon } from "../../playground/icons";
import { type HelpState, isOpen } from "../../shared/help/model";
import { useAmbience } from "../context";
import { Buttons } from "./parts";

/** Somebody invited by link, before and after the call. */
export function GuestPage({ state }: { state: HelpState }) {
  const { t, controller } = useAmbience();
  if (state.call === null) {
    return (
      <div class="page done" data-page="guest-loading">
        <p role="status">{state.problem === null ? t("panel.loading") : t("guest.expired")}</p>
      </div>
    );
  }
  if (!isOpen(state)) {
    return (
      <div class="page done" data-page="guest-over">
        <h2 tabindex={-1}>{t("guest.over")}</h2>
      </div>
    );
  }
  const left = state.guest === "left";
  const join = (talk: boolean): void => {
    if (!talk) {
      controller.devices.skipMicrophone();
      controller.talk.joinAsGuest();
      return;
    }
    void controller.devices.allowMicrophone().then(() => controller.talk.joinAsGuest());
  };
  return (
    <div class="page done" data-page={left ? "guest-left" : "guest-invited"}>
      <span class="big-icon">
        <MicrophoneIcon />
      </span>
      <h2 tabindex={-1}>{t(left ? "guest.left" : "guest.title")}</h2>
      {!left && (
        <>
          <p>{t("guest.text")}</p>
          <p class="hint">{t("microphone.explain")}</p>
        </>
      )}
      <Buttons>
        <button type="button" class="button primary" data-action="join" disabled={state.microphone === "asking"} onClick={() => join(true)}>
          {t(left ? "guest.rejoin" : "guest.join")}
        </button>
        {!left && (
          <button type="button" class="button" data-action="listen" onClick={() => join(false)}>
            {t("guest.listen")}
          </button>
        )}
      </Buttons>
    </div>
  );
}
