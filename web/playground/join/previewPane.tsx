import { useEffect, useRef } from "preact/hooks";
import type { Preview } from "../../shared/media/preview";
import { CameraMenu, SoundDeviceMenu } from "../components/deviceMenus";
import { Video } from "../components/media";
import { useAmbience, useStore } from "../context";
import { CameraIcon, CameraOffIcon, MicrophoneIcon, MicrophoneOffIcon } from "../icons";

interface PreviewPaneProps {
  preview: Preview;
  /** Whether to join with each device on; independent of whether the preview runs yet. */
  microphone: boolean;
  camera: boolean;
  /** The devices have been opened once, or the browser would not ask. */
  started: boolean;
  onStart: () => void;
  onToggle: (source: "microphone" | "camera", on: boolean) => void;
}

export function PreviewPane({ preview, microphone, camera, started, onStart, onToggle }: PreviewPaneProps) {
  const { t, remember, preferences } = useAmbience();
  const state = useStore(preview.state);
  const waiting = state.camera === "waiting" || state.microphone === "waiting";
  const asking = !started && (microphone || camera);

  const select = (kind: MediaDeviceKind, deviceId: string): void => {
    remember({ devices: { ...preferences.devices, [kind]: deviceId } });
    void preview.selectDevice(kind, deviceId);
  };

  return (
    <section class="preview" aria-label={t("preview.label")}>
      <div class="preview-picture">
        {state.picture !== null ? (
          <Video handle={state.picture} mirrored fit="cover" />
        ) : asking ? (
          <div class="preview-ask">
            <span class="preview-ask-icons" aria-hidden="true">
              <CameraIcon />
              <MicrophoneIcon />
            </span>
            <h2>{t("preview.explainTitle")}</h2>
            <p>{t("preview.explain")}</p>
            <button type="button" class="button" onClick={onStart}>
              {t("preview.allow")}
            </button>
          </div>
        ) : (
          <div class="preview-off">
            <CameraOffIcon />
            <p role="status">{waiting ? t("preview.starting") : t("preview.cameraOff")}</p>
          </div>
        )}
        <div class="preview-controls">
          <span class={`split ${microphone ? "" : "is-off"}`}>
            <button
              type="button"
              class="split-main"
              aria-pressed={microphone}
              aria-label={t("control.microphone")}
              title={t(microphone ? "control.microphoneOff" : "control.microphoneOn")}
              onClick={() => onToggle("microphone", !microphone)}
            >
              {microphone ? <MicrophoneIcon /> : <MicrophoneOffIcon />}
            </button>
            <SoundDeviceMenu devices={state.devices} active={state.activeDevices} onSelect={select} buttonClass="split-caret" />
          </span>
          <span class={`split ${camera ? "" : "is-off"}`}>
            <button
              type="button"
              class="split-main"
              aria-pressed={camera}
              aria-label={t("control.camera")}
              title={t(camera ? "control.cameraOff" : "control.cameraOn")}
              onClick={() => onToggle("camera", !camera)}
            >
              {camera ? <CameraIcon /> : <CameraOffIcon />}
            </button>
            <CameraMenu devices={state.devices} active={state.activeDevices} onSelect={select} buttonClass="split-caret" />
          </span>
        </div>
      </div>
      <div class="preview-sound">
        {microphone ? <MicrophoneIcon /> : <MicrophoneOffIcon />}
        <LevelMeter preview={preview} live={state.microphone === "on"} />
        <span class="preview-hint">{t(microphone ? "preview.speakHint" : "preview.microphoneOff")}</span>
      </div>
    </section>
  );
}

/** Number of bars of the meter. */
const BARS = 16;
/** The meter is read this often; the eye does not need more. */
const METER_INTERVAL_MS = 50;

function LevelMeter({ preview, live }: { preview: Preview; live: boolean }) {
  const { t } = useAmbience();
  const meter = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const bars = meter.current;
    if (bars === null || !live) return undefined;
    let shown = 0;
    const timer = setInterval(() => {
      // Up at once, down slowly, as meters do.
      shown = Math.max(preview.level(), shown - 0.06);
      const lit = Math.round(shown * BARS);
      [...bars.children].forEach((bar, index) => bar.classList.toggle("lit", index < lit));
      bars.setAttribute("aria-valuenow", String(Math.round(shown * 100)));
    }, METER_INTERVAL_MS);
    return () => {
      clearInterval(timer);
      for (const bar of bars.children) bar.classList.remove("lit");
    };
  }, [preview, live]);
  return (
    <div ref={meter} class="meter" role="meter" aria-label={t("preview.level")} aria-valuemin={0} aria-valuemax={100} aria-valuenow={0}>
      {Array.from({ length: BARS }, (_, index) => (
        <i key={index} />
      ))}
    </div>
  );
}
