import type { Devices } from "../../shared/call/model";
import { useAmbience } from "../context";
import { CaretIcon } from "../icons";
import { Menu, MenuChoice, MenuGroup } from "./menu";

interface DeviceMenuProps {
  devices: Devices;
  active: Partial<Record<MediaDeviceKind, string>>;
  onSelect: (kind: MediaDeviceKind, deviceId: string) => void;
  buttonClass: string;
}

function DeviceGroup(props: DeviceMenuProps & { kind: MediaDeviceKind; label: string; close: () => void }) {
  const { t } = useAmbience();
  const list = props.devices[props.kind];
  const chosen = props.active[props.kind] ?? list[0]?.deviceId;
  return (
    <MenuGroup label={props.label}>
      {list.length === 0 && <div class="menu-note">{t("devices.none")}</div>}
      {list.map((device, index) => (
        <MenuChoice
          key={device.deviceId}
          chosen={device.deviceId === chosen || (list.every((one) => one.deviceId !== chosen) && index === 0)}
          label={
            device.deviceId === "default"
              ? t("devices.systemDefault")
              : device.label !== ""
                ? device.label
                : t("devices.unnamed", { number: index + 1 })
          }
          onChoose={() => {
            props.onSelect(props.kind, device.deviceId);
            props.close();
          }}
        />
      ))}
    </MenuGroup>
  );
}

/** Microphones, and speakers where the browser can choose them. */
export function SoundDeviceMenu(props: DeviceMenuProps) {
  const { t } = useAmbience();
  return (
    <Menu label={t("devices.chooseMicrophone")} buttonClass={props.buttonClass} button={<CaretIcon />}>
      {(close) => (
        <>
          <DeviceGroup {...props} kind="audioinput" label={t("devices.microphone")} close={close} />
          {"setSinkId" in HTMLMediaElement.prototype && props.devices.audiooutput.length > 0 && (
            <DeviceGroup {...props} kind="audiooutput" label={t("devices.speaker")} close={close} />
          )}
        </>
      )}
    </Menu>
  );
}

export function CameraMenu(props: DeviceMenuProps) {
  const { t } = useAmbience();
  return (
    <Menu label={t("devices.chooseCamera")} buttonClass={props.buttonClass} button={<CaretIcon />}>
      {(close) => <DeviceGroup {...props} kind="videoinput" label={t("devices.camera")} close={close} />}
    </Menu>
  );
}
