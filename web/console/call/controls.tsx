import {
  AudioMutedOutlined,
  AudioOutlined,
  DownOutlined,
  PauseOutlined,
  PhoneOutlined,
  PlayCircleOutlined,
  SwapOutlined,
  UserAddOutlined,
  VideoCameraOutlined,
} from "@ant-design/icons";
import { Dropdown, type MenuProps, Tooltip } from "antd";
import type { ReactNode } from "react";
import type { CallSnapshot } from "../../shared/call/model";
import type { CallSession } from "../../shared/call/session";
import { useAmbience } from "../context";

export interface Acts {
  readonly mic: (() => void) | null;
  readonly camera: (() => void) | null;
  readonly hold: (() => void) | null;
  readonly invite: (() => void) | null;
  readonly transfer: (() => void) | null;
  readonly hand: (() => void) | null;
  readonly end: (() => void) | null;
}

/** What an agent does during a call. A control without its act has no place right now and is dimmed. */
export function ControlBar({
  snapshot,
  session,
  acts,
  held,
  handRaised,
  leaves,
}: {
  snapshot: CallSnapshot | null;
  session: CallSession | null;
  acts: Acts;
  held: boolean;
  handRaised: boolean;
  /** Ending only means leaving: somebody else is responsible. */
  leaves: boolean;
}) {
  const { t } = useAmbience();
  const mic = snapshot?.microphone === "on";
  const camera = snapshot?.camera === "on";
  return (
    <div className="rh-controls" role="toolbar" aria-label={t("desk.calls")}>
      <Control
        name="mic"
        shortcut="M"
        label={mic ? t("call.mic.on") : t("call.mic.off")}
        icon={mic ? <AudioOutlined /> : <AudioMutedOutlined />}
        off={!mic}
        act={acts.mic}
        menu={session === null || snapshot === null ? null : <DeviceMenu session={session} snapshot={snapshot} kinds={["audioinput", "audiooutput"]} />}
      />
      <Control
        name="camera"
        shortcut="V"
        label={camera ? t("call.camera.on") : t("call.camera.off")}
        icon={<VideoCameraOutlined />}
        off={!camera}
        act={acts.camera}
        menu={session === null || snapshot === null ? null : <DeviceMenu session={session} snapshot={snapshot} kinds={["videoinput"]} />}
      />
      <span className="rh-controls-rule" />
      <Control
        name="hold"
        shortcut="H"
        label={held ? t("call.resume") : t("call.hold")}
        icon={held ? <PlayCircleOutlined /> : <PauseOutlined />}
        on={held}
        act={acts.hold}
      />
      <Control name="invite" shortcut="I" label={t("call.invite")} icon={<UserAddOutlined />} act={acts.invite} />
      <Control name="transfer" shortcut="T" label={t("call.transfer")} icon={<SwapOutlined />} act={acts.transfer} />
      <Control
        name="hand"
        shortcut="R"
        label={handRaised ? t("call.hand.lower") : t("call.hand")}
        icon={<HandIcon />}
        on={handRaised}
        act={acts.hand}
      />
      <span className="rh-controls-rule" />
      <Control
        name="end"
        shortcut="E"
        danger
        label={leaves ? t("call.leave") : t("call.end")}
        icon={<PhoneOutlined className="rh-hang-up" />}
        act={acts.end}
      />
    </div>
  );
}

function Control({
  name,
  label,
  shortcut,
  icon,
  act,
  off = false,
  on = false,
  danger = false,
  menu = null,
}: {
  name: string;
  label: string;
  shortcut: string;
  icon: ReactNode;
  act: (() => void) | null;
  off?: boolean;
  on?: boolean;
  danger?: boolean;
  menu?: ReactNode;
}) {
  const classes = ["rh-control", off ? "rh-control-off" : "", on ? "rh-control-on" : "", danger ? "rh-control-danger" : ""];
  return (
    <span className="rh-control-group">
      <Tooltip title={`${label} (${shortcut})`} mouseEnterDelay={0.6}>
        <button
          type="button"
          className={classes.filter((each) => each !== "").join(" ")}
          disabled={act === null}
          data-control={name}
          aria-keyshortcuts={shortcut}
          aria-pressed={on}
          onClick={act ?? undefined}
        >
          {icon}
          <span>{label}</span>
        </button>
      </Tooltip>
      {menu}
    </span>
  );
}

function DeviceMenu({
  session,
  snapshot,
  kinds,
}: {
  session: CallSession;
  snapshot: CallSnapshot;
  kinds: readonly ("audioinput" | "audiooutput" | "videoinput")[];
}) {
  const { t, preferences, remember } = useAmbience();
  const items: MenuProps["items"] = kinds.map((kind) => ({
    type: "group",
    key: kind,
    label: t(`call.devices.${kind}`),
    children: snapshot.devices[kind].map((device) => ({
      key: `${kind}/${device.deviceId}`,
      label: device.label === "" ? t("call.devices.default") : device.label,
      onClick: () => {
        remember({ devices: { ...preferences.devices, [kind]: device.deviceId } });
        void session.selectDevice(kind, device.deviceId);
      },
    })),
  }));
  return (
    <Dropdown
      trigger={["click"]}
      placement="top"
      menu={{ items, selectable: true, selectedKeys: kinds.map((kind) => `${kind}/${snapshot.activeDevices[kind] ?? "default"}`) }}
    >
      <button type="button" className="rh-control-more" aria-label={`${t("call.devices")}: ${kinds.map((kind) => t(`call.devices.${kind}`)).join(", ")}`}>
        <DownOutlined />
      </button>
    </Dropdown>
  );
}

function HandIcon() {
  return (
    <span role="img" className="anticon" aria-hidden="true">
      <svg viewBox="6 4 18 24" width="1em" height="1em" fill="none" stroke="currentColor" strokeWidth="2.1" strokeLinecap="round" strokeLinejoin="round">
        <path d="M11.2 17.4V10a1.6 1.6 0 0 1 3.2 0m0 5.4V7.6a1.6 1.6 0 0 1 3.2 0v7.6m0-5.6a1.6 1.6 0 0 1 3.2 0v8.8c0 4.2-2.6 6.8-6.3 6.8-2.9 0-4.4-1.2-5.7-3.5l-2.2-4a1.5 1.5 0 0 1 2.5-1.7l2.1 2.6" />
      </svg>
    </span>
  );
}
