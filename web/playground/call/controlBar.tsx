import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Call, CallSnapshot, DeviceState } from "../../shared/call/model";
import { CameraMenu, SoundDeviceMenu } from "../components/deviceMenus";
import { Menu, MenuAction, MenuGroup, useFlash } from "../components/menu";
import { LanguageChoices, ThemeChoices } from "../components/settings";
import { useAmbience } from "../context";
import {
  CameraIcon,
  CameraOffIcon,
  ChartIcon,
  ChatIcon,
  CheckIcon,
  FullscreenIcon,
  LeaveIcon,
  LinkIcon,
  MicrophoneIcon,
  MicrophoneOffIcon,
  MoreIcon,
  PeopleIcon,
  ScreenIcon,
  ScreenOffIcon,
} from "../icons";
import type { Panel } from "./callPage";
import { copyText } from "./emptyState";

interface ControlBarProps {
  call: Call;
  state: CallSnapshot;
  link: string;
  panel: Panel;
  unread: number;
  statistics: boolean;
  onPanel: (panel: Panel) => void;
  onStatistics: () => void;
}

/** Larger counts are shown as `99+`. */
const MAXIMUM_BADGE = 99;

export function ControlBar({ call, state, link, panel, unread, statistics, onPanel, onStatistics }: ControlBarProps) {
  const { t, preferences, remember } = useAmbience();
  const [copied, flashCopied] = useFlash();
  const inCall = state.phase !== "connecting";
  const canShare = "getDisplayMedia" in ((navigator as { mediaDevices?: MediaDevices }).mediaDevices ?? {});

  const select = (kind: MediaDeviceKind, deviceId: string): void => {
    remember({ devices: { ...preferences.devices, [kind]: deviceId } });
    void call.selectDevice(kind, deviceId);
  };

  return (
    <div class="controls" role="group" aria-label={t("control.bar")}>
      <div class="controls-group">
        {state.canPublish ? (
          <>
            <DeviceControl
              name="microphone"
              label={t("control.microphone")}
              action={t(state.microphone === "off" ? "control.microphoneOn" : "control.microphoneOff")}
              keys="Alt+M"
              state={state.microphone}
              disabled={!inCall}
              iconOn={<MicrophoneIcon />}
              iconOff={<MicrophoneOffIcon />}
              onToggle={() => void call.setMicrophone(state.microphone === "off")}
            >
              <SoundDeviceMenu devices={state.devices} active={state.activeDevices} onSelect={select} buttonClass="split-caret" />
            </DeviceControl>
            <DeviceControl
              name="camera"
              label={t("control.camera")}
              action={t(state.camera === "off" ? "control.cameraOn" : "control.cameraOff")}
              keys="Alt+V"
              state={state.camera}
              disabled={!inCall}
              iconOn={<CameraIcon />}
              iconOff={<CameraOffIcon />}
              onToggle={() => void call.setCamera(state.camera === "off")}
            >
              <CameraMenu devices={state.devices} active={state.activeDevices} onSelect={select} buttonClass="split-caret" />
            </DeviceControl>
            {canShare && (
              <button
                type="button"
                class={`control${state.screen === "off" ? "" : " active"}`}
                data-control="screen"
                aria-pressed={state.screen === "on"}
                aria-keyshortcuts="Alt+S"
                title={`${t(state.screen === "on" ? "control.shareStop" : "control.share")} (Alt+S)`}
                disabled={!inCall || state.screen === "waiting"}
                onClick={() => void call.setScreen(state.screen === "off")}
              >
                {state.screen === "on" ? <ScreenOffIcon /> : <ScreenIcon />}
                <span class="control-label">{t(state.screen === "on" ? "control.shareStop" : "control.share")}</span>
              </button>
            )}
          </>
        ) : (
          <p class="controls-note">{t("control.listenOnly")}</p>
        )}
      </div>

      <div class="controls-group">
        <button
          type="button"
          class={`control${panel === "chat" ? " active" : ""}`}
          data-control="chat"
          aria-pressed={panel === "chat"}
          aria-keyshortcuts="Alt+C"
          aria-label={unread > 0 ? t("control.chatUnread", { count: unread }) : t("control.chat")}
          title={`${t("control.chat")} (Alt+C)`}
          onClick={() => onPanel("chat")}
        >
          <ChatIcon />
          {unread > 0 && (
            <span class="badge" aria-hidden="true">
              {unread > MAXIMUM_BADGE ? `${MAXIMUM_BADGE}+` : unread}
            </span>
          )}
          <span class="control-label">{t("control.chat")}</span>
        </button>
        <button
          type="button"
          class={`control${panel === "people" ? " active" : ""}`}
          data-control="people"
          aria-pressed={panel === "people"}
          aria-keyshortcuts="Alt+P"
          aria-label={t("control.people")}
          title={`${t("control.people")} (Alt+P)`}
          onClick={() => onPanel("people")}
        >
          <PeopleIcon />
          {state.participants.length > 1 && (
            <span class="count" aria-hidden="true">
              {state.participants.length}
            </span>
          )}
          <span class="control-label">{t("control.people")}</span>
        </button>
        <Menu
          label={t("control.more")}
          buttonClass="control"
          button={
            <>
              <MoreIcon />
              <span class="control-label">{t("control.more")}</span>
            </>
          }
        >
          {(close) => (
            <>
              <MenuGroup label={t("control.more")}>
                <MenuAction
                  icon={<ChartIcon />}
                  label={t(statistics ? "control.statisticsHide" : "control.statisticsShow")}
                  onChoose={() => {
                    onStatistics();
                    close();
                  }}
                />
                <MenuAction
                  icon={copied ? <CheckIcon /> : <LinkIcon />}
                  label={t(copied ? "control.linkCopied" : "control.copyLink")}
                  onChoose={() => void copyText(link).then(flashCopied)}
                />
                <FullscreenAction close={close} />
              </MenuGroup>
              <LanguageChoices close={close} />
              <ThemeChoices close={close} />
            </>
          )}
        </Menu>
      </div>

      <div class="controls-group">
        <button type="button" class="control leave" data-control="leave" title={t("control.leave")} onClick={() => void call.leave()}>
          <LeaveIcon />
          <span class="control-label">{t("control.leave")}</span>
        </button>
      </div>
    </div>
  );
}

interface DeviceControlProps {
  name: string;
  label: string;
  action: string;
  keys: string;
  state: DeviceState;
  disabled: boolean;
  iconOn: ComponentChildren;
  iconOff: ComponentChildren;
  onToggle: () => void;
  children: ComponentChildren;
}

/** A device's button with the menu of its devices beside it. */
function DeviceControl(props: DeviceControlProps) {
  const off = props.state === "off";
  return (
    <span class={`split control-split${off ? " is-off" : ""}`}>
      <button
        type="button"
        class="control split-main"
        data-control={props.name}
        data-state={props.state}
        aria-pressed={props.state === "on"}
        aria-label={props.label}
        aria-keyshortcuts={props.keys}
        title={`${props.action} (${props.keys})`}
        aria-busy={props.state === "waiting"}
        disabled={props.disabled || props.state === "waiting"}
        onClick={props.onToggle}
      >
        {props.state === "waiting" ? <span class="spinner" aria-hidden="true" /> : off ? props.iconOff : props.iconOn}
        <span class="control-label">{props.label}</span>
      </button>
      {props.children}
    </span>
  );
}

function FullscreenAction({ close }: { close: () => void }) {
  const { t } = useAmbience();
  const [full, setFull] = useState(document.fullscreenElement !== null);
  useEffect(() => {
    const read = (): void => setFull(document.fullscreenElement !== null);
    document.addEventListener("fullscreenchange", read);
    return () => document.removeEventListener("fullscreenchange", read);
  }, []);
  if (!document.fullscreenEnabled) return null;
  return (
    <MenuAction
      icon={<FullscreenIcon />}
      label={t(full ? "control.fullscreenExit" : "control.fullscreen")}
      onChoose={() => {
        void (full ? document.exitFullscreen() : document.documentElement.requestFullscreen());
        close();
      }}
    />
  );
}
