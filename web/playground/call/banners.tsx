import { useEffect, useState } from "preact/hooks";
import type { Call, CallSnapshot, Notice } from "../../shared/call/model";
import { ProblemCard } from "../components/problemCard";
import { useAmbience } from "../context";
import { CheckIcon, ScreenIcon, SoundIcon } from "../icons";

/** How long "connection restored" stays. */
const RESTORED_MS = 3000;

export function Banners({ call, state }: { call: Call; state: CallSnapshot }) {
  const { t } = useAmbience();
  const restored = useRestored(state.phase === "reconnecting");
  return (
    <div class="banners">
      {state.phase === "connecting" && (
        <div class="banner" role="status">
          <span class="spinner" aria-hidden="true" />
          <span>{t("call.connecting", { room: state.room })}</span>
          <button type="button" class="button small" onClick={() => void call.leave()}>
            {t("join.cancel")}
          </button>
        </div>
      )}
      {state.phase === "reconnecting" && (
        <div class="banner warning" role="alert" data-banner="reconnecting">
          <span class="spinner" aria-hidden="true" />
          <span>{t("call.reconnecting")}</span>
        </div>
      )}
      {restored && (
        <div class="banner good" role="status">
          <CheckIcon />
          <span>{t("call.restored")}</span>
        </div>
      )}
      {!state.canPlayAudio && (
        <div class="banner" role="alert">
          <SoundIcon />
          <span>{t("call.soundBlocked")}</span>
          <button type="button" class="button primary small" onClick={() => void call.startAudio()}>
            {t("call.soundStart")}
          </button>
        </div>
      )}
      {state.screen === "on" && (
        <div class="banner accent" role="status">
          <ScreenIcon />
          <span>{t("call.sharing")}</span>
          <button type="button" class="button small" onClick={() => void call.setScreen(false)}>
            {t("control.shareStop")}
          </button>
        </div>
      )}
      {state.notices.map((notice) => (
        <ProblemCard key={notice.id} kind={notice.kind} shape="inline">
          <Remedy call={call} notice={notice} />
          <button type="button" class="button small" onClick={() => call.dismissNotice(notice.id)}>
            {t("action.dismiss")}
          </button>
        </ProblemCard>
      ))}
    </div>
  );
}

/** Tries again what the notice is about, where trying again can help. */
function Remedy({ call, notice }: { call: Call; notice: Notice }) {
  const { t } = useAmbience();
  const again = notice.kind.startsWith("microphone")
    ? () => call.setMicrophone(true)
    : notice.kind.startsWith("camera")
      ? () => call.setCamera(true)
      : notice.kind === "screenFailed"
        ? () => call.setScreen(true)
        : null;
  if (again === null) return null;
  return (
    <button
      type="button"
      class="button primary small"
      onClick={() => {
        call.dismissNotice(notice.id);
        void again();
      }}
    >
      {t("action.retry")}
    </button>
  );
}

/** True for a moment after `broken` has gone back to false. */
function useRestored(broken: boolean): boolean {
  const [was, setWas] = useState(false);
  const [restored, setRestored] = useState(false);
  useEffect(() => {
    if (broken) {
      setWas(true);
      setRestored(false);
      return undefined;
    }
    if (!was) return undefined;
    setWas(false);
    setRestored(true);
    return undefined;
  }, [broken]);
  useEffect(() => {
    if (!restored) return undefined;
    const timer = setTimeout(() => setRestored(false), RESTORED_MS);
    return () => clearTimeout(timer);
  }, [restored]);
  return restored;
}
