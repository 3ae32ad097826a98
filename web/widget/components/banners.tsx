import { useState } from "preact/hooks";
import { WarningIcon } from "../../playground/icons";
import type { CallSnapshot, Quality } from "../../shared/call/model";
import { agentOf, type HelpState, type Notice } from "../../shared/help/model";
import type { PlainKey, Translate } from "../../shared/i18n/student/translate";
import { useAmbience, useTick } from "../context";
import { Buttons, Card } from "./parts";

/** How often the minutes of a hold are looked at, in milliseconds. */
const HELD_TICK_MS = 5_000;

/** What the panel says about the network, in plain words. */
export function networkKey(state: HelpState, quality: Quality): "good" | "fair" | "poor" | "lost" | "unknown" {
  if (!state.online || state.media === "reconnecting" || state.stream === "reconnecting") return "lost";
  if (state.kind === "chat") return state.stream === "open" ? "good" : "unknown";
  switch (quality) {
    case "excellent":
      return "good";
    case "good":
      return "fair";
    case "poor":
    case "lost":
      return "poor";
    default:
      return "unknown";
  }
}

/** Whatever is in the way of the call right now, most pressing first. */
export function Banners({ state, room, onChat, onScreenshot }: {
  state: HelpState;
  room: CallSnapshot | null;
  onChat: () => void;
  onScreenshot: () => void;
}) {
  const { t, controller, openBrowser } = useAmbience();
  const [tried, setTried] = useState(false);
  const own = room?.participants.find((participant) => participant.isLocal);
  const poor = state.phase === "talking" && own !== undefined && networkKey(state, own.quality) === "poor";
  const media = controller.room.media.get();

  return (
    <div class="banners" aria-live="polite">
      {!state.online ? (
        <p class="banner warning">{t("network.offline")}</p>
      ) : state.media === "reconnecting" ? (
        <p class="banner warning" data-banner="reconnecting">
          {t("call.reconnecting")}
        </p>
      ) : null}
      {state.media === "elsewhere" && (
        <Card tone="warning" name="elsewhere">
          <p>{t("call.elsewhere")}</p>
          <Buttons>
            <button type="button" class="button primary" onClick={() => controller.room.takeHere()}>
              {t("call.takeHere")}
            </button>
          </Buttons>
        </Card>
      )}
      {state.media === "blocked" && (
        <Card tone="warning" name="blocked">
          <p>{t("call.mediaBlocked")}</p>
          <Buttons>
            <button type="button" class="button primary" onClick={() => void controller.retry()}>
              {t("call.retry")}
            </button>
            <button type="button" class="button" onClick={onChat}>
              {t("microphone.type")}
            </button>
          </Buttons>
        </Card>
      )}
      {room !== null && !room.canPlayAudio && (
        <Card tone="accent" name="sound-blocked">
          <p>{t("call.soundBlocked")}</p>
          <Buttons>
            <button type="button" class="button primary" onClick={() => void media?.session.startAudio()}>
              {t("call.soundStart")}
            </button>
          </Buttons>
        </Card>
      )}
      {state.call?.state === "held" && <Held since={state.heldSince} name={agentOf(state.call)?.name ?? ""} />}
      {state.transfer !== null && (
        <p class="banner" data-banner="transfer">
          {state.transfer.name === "" ? t("call.transfer") : t("call.transferTo", { name: state.transfer.name })}
        </p>
      )}
      {poor && !tried && (
        <Card tone="warning" name="network" icon={<WarningIcon />}>
          <p>{t("network.advice")}</p>
          <Buttons>
            <button
              type="button"
              class="button"
              onClick={() => {
                void controller.devices.setAudioOnly(true);
                setTried(true);
              }}
            >
              {t("call.audioOnly")}
            </button>
            <button
              type="button"
              class="button"
              onClick={() => {
                setTried(true);
                void controller.chat.send(t("network.triedMessage"));
                controller.notify({ kind: "networkThanks" });
              }}
            >
              {t("network.tried")}
            </button>
          </Buttons>
        </Card>
      )}
      {state.notice !== null && (
        <div class="banner notice" data-banner={state.notice.kind}>
          <span>{noticeText(state.notice, t)}</span>
          {(state.notice.kind === "screenMissing" || state.notice.kind === "screenFailed") && (
            <Buttons>
              <button type="button" class="button" onClick={onScreenshot}>
                {t("call.sendScreenshot")}
              </button>
              <button type="button" class="button" onClick={() => void controller.devices.setCamera(true, "environment")}>
                {t("call.openCamera")}
              </button>
              {openBrowser !== null && (
                <button type="button" class="button" onClick={openBrowser}>
                  {t("call.openBrowser")}
                </button>
              )}
            </Buttons>
          )}
          <button type="button" class="link" onClick={() => controller.notify(null)}>
            {t("call.dismiss")}
          </button>
        </div>
      )}
    </div>
  );
}

/** Who looks into it, and for how long already. */
function Held({ since, name }: { since: string | null; name: string }) {
  const { t } = useAmbience();
  useTick(HELD_TICK_MS);
  const minutes = since === null ? 0 : Math.floor((Date.now() - Date.parse(since)) / 60_000);
  const who = name === "" ? t("call.agent") : name;
  return (
    <p class="banner" data-banner="held">
      {minutes < 1 ? t("call.held", { name: who }) : t("call.heldFor", { name: who, minutes })}
    </p>
  );
}

const NOTICE_KEYS = {
  restored: "call.restored",
  networkThanks: "network.thanks",
  cameraDenied: "call.cameraDenied",
  cameraMissing: "call.cameraMissing",
  cameraBusy: "call.cameraBusy",
  screenFailed: "call.screenFailed",
  screenMissing: "call.screenMissing",
  fileUnsupported: "chat.unsupported",
} as const satisfies Partial<Record<Notice["kind"], PlainKey>>;

function noticeText(notice: Notice, t: Translate): string {
  switch (notice.kind) {
    case "joined":
    case "left":
    case "away":
    case "taken":
      return t(`call.${notice.kind}`, { name: notice.name === "" ? t("call.agent") : notice.name });
    case "fileTooLarge":
      return t("chat.tooLarge", { size: notice.size });
    case "fileFailed":
      return t("chat.fileFailed", { name: notice.name });
    default:
      return t(NOTICE_KEYS[notice.kind]);
  }
}
