import { useState } from "preact/hooks";
import { MicrophoneIcon, MicrophoneOffIcon } from "../../playground/icons";
import { browserFacts, teachingKey } from "../../shared/help/browser";
import type { HelpState } from "../../shared/help/model";
import { useAmbience } from "../context";
import { Buttons, Card } from "./parts";

/** Says what the browser will ask before it asks; and what to do where it was refused. */
export function MicrophoneCard({ state, onType }: { state: HelpState; onType: () => void }) {
  const { t, controller, openBrowser } = useAmbience();
  const [taught, setTaught] = useState(false);
  const { microphone } = state;
  if (state.kind === "chat") return null;

  if (state.microphoneInterrupted && state.phase === "talking") {
    return (
      <Card name="microphone-interrupted" tone="warning" icon={<MicrophoneOffIcon />} title={t("microphone.interruptedTitle")}>
        <p>{t("microphone.interrupted")}</p>
        <Buttons>
          <button type="button" class="button primary" onClick={() => void controller.devices.revive()}>
            {t("microphone.resume")}
          </button>
        </Buttons>
      </Card>
    );
  }
  if (microphone === "unknown" || (microphone === "granted" && state.phase !== "waiting")) return null;
  if (microphone === "granted") {
    return (
      <p class="ready">
        <MicrophoneIcon />
        {t("microphone.ready")}
      </p>
    );
  }
  if (state.microphoneSkipped) return null;

  const type = (
    <button
      type="button"
      class="button"
      data-action="type"
      onClick={() => {
        controller.devices.skipMicrophone();
        onType();
      }}
    >
      {t("microphone.type")}
    </button>
  );
  if (microphone === "explain" || microphone === "asking") {
    const video = state.kind === "video";
    return (
      <Card name="microphone-explain" tone="accent" icon={<MicrophoneIcon />} title={t("microphone.explainTitle")}>
        <p>{microphone === "asking" ? t("microphone.asking") : t(video ? "microphone.explainVideo" : "microphone.explain")}</p>
        <Buttons>
          <button
            type="button"
            class="button primary"
            data-action="allow"
            disabled={microphone === "asking"}
            onClick={() => void controller.devices.allowMicrophone()}
          >
            {t("microphone.allow")}
          </button>
          {type}
        </Buttons>
      </Card>
    );
  }
  const facts = browserFacts(navigator.userAgent, navigator.maxTouchPoints);
  return (
    <Card name={`microphone-${microphone}`} tone="warning" icon={<MicrophoneOffIcon />} title={t(`microphone.${microphone}Title`)}>
      <p>{t(`microphone.${microphone}`)}</p>
      {taught && <p class="teach">{t(teachingKey(facts))}</p>}
      <Buttons>
        {microphone === "denied" && !taught && (
          <button type="button" class="button" data-action="teach" onClick={() => setTaught(true)}>
            {t("microphone.teach")}
          </button>
        )}
        {(microphone !== "denied" || taught) && microphone !== "insecure" && (
          <button type="button" class="button" data-action="retry-microphone" onClick={() => void controller.devices.allowMicrophone()}>
            {t("microphone.retry")}
          </button>
        )}
        {type}
        {openBrowser !== null && (
          <button type="button" class="button" onClick={openBrowser}>
            {t("call.openBrowser")}
          </button>
        )}
      </Buttons>
    </Card>
  );
}
