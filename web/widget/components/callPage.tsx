import { Fragment } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import {
  CameraIcon,
  CameraOffIcon,
  ChatIcon,
  LeaveIcon,
  MicrophoneIcon,
  MicrophoneOffIcon,
  MoreIcon,
  ScreenIcon,
  ScreenOffIcon,
  SignalIcon,
} from "../../playground/icons";
import type { CallSnapshot, ParticipantView } from "../../shared/call/model";
import { formatDuration } from "../../shared/format";
import type { HelpMedia } from "../../shared/help/media";
import { canShareScreen } from "../../shared/help/permission";
import { agentOf, type HelpState } from "../../shared/help/model";
import { useAmbience, useStore, useTick } from "../context";
import { FlipIcon } from "../icons";
import type { ScreenSharing } from "../sharing";
import { Banners, networkKey } from "./banners";
import { ConsentCard, ConsentState } from "./consentCard";
import { MicrophoneCard } from "./microphoneCard";
import { Avatar, Buttons, Video } from "./parts";

const MUSIC = "raisehand-music";

interface CallPageProps {
  state: HelpState;
  room: CallSnapshot | null;
  sharing: ScreenSharing | null;
  onShare: () => Promise<ScreenSharing | null>;
  /** Hanging up was pressed and is to be confirmed. */
  ending: boolean;
  onEnding: (ending: boolean) => void;
  onChat: () => void;
  onScreenshot: () => void;
}

/** The talk: who is there, what is shown, and the controls. */
export function CallPage({ state, room, sharing, onShare, ending, onEnding, onChat, onScreenshot }: CallPageProps) {
  const { t, controller } = useAmbience();
  const media = useStore(controller.room.media);
  const [more, setMore] = useState(false);
  const agent = agentOf(state.call);
  const others = peopleOf(room);
  const connecting = state.phase === "connecting" || state.media === "joining" || room === null;
  const name = agent?.name ?? "";

  return (
    <div class="page call" data-page="call">
      <Banners state={state} room={room} onChat={onChat} onScreenshot={onScreenshot} />
      <div class="stage">
        <People others={others} name={name} identity={agent?.id ?? ""} connecting={connecting} />
        {room !== null && <OwnPicture room={room} />}
        {sharing !== null && <SharedPicture sharing={sharing} />}
      </div>
      <div class="call-line">
        <span class="call-who">
          {connecting
            ? name === ""
              ? t("connecting.titleUnnamed")
              : t("connecting.title", { name })
            : t("call.with", { name: name === "" ? t("call.agent") : name })}
        </span>
        <CallTime since={state.call?.connected_at ?? null} />
      </div>
      <MicrophoneCard state={state} onType={onChat} />
      <ConsentCard state={state} />
      <div class="foot">
        {more && media !== null && room !== null && !ending && <More state={state} room={room} media={media} />}
        {ending ? (
          <HangUp onStay={() => onEnding(false)} />
        ) : (
          <Controls
            state={state}
            room={room}
            sharing={sharing}
            onShare={onShare}
            more={more}
            onMore={() => setMore(!more)}
            onChat={onChat}
            onEnd={() => onEnding(true)}
          />
        )}
      </div>
    </div>
  );
}

function HangUp({ onStay }: { onStay: () => void }) {
  const { t, controller } = useAmbience();
  const stay = useRef<HTMLButtonElement>(null);
  useEffect(() => stay.current?.focus(), []);
  return (
    <div class="hang-up" role="alertdialog" aria-label={t("call.hangUpSure")}>
      <h3>{t("call.hangUpSure")}</h3>
      <Buttons>
        <button type="button" class="button danger" data-action="hang-up-yes" onClick={() => void controller.talk.hangUp()}>
          {t("call.hangUpYes")}
        </button>
        <button ref={stay} type="button" class="button" data-action="hang-up-no" onClick={onStay}>
          {t("call.hangUpNo")}
        </button>
      </Buttons>
    </div>
  );
}

/** Everybody but ourselves and the music. */
export function peopleOf(room: CallSnapshot | null): ParticipantView[] {
  return (room?.participants ?? []).filter((each) => !each.isLocal && each.identity !== MUSIC);
}

function People({ others, name, identity, connecting }: {
  others: readonly ParticipantView[];
  name: string;
  identity: string;
  connecting: boolean;
}) {
  const { t } = useAmbience();
  const screen = others.find((each) => each.screen !== null);
  if (others.length === 0) {
    return (
      <div class={`face${connecting ? " connecting" : ""}`}>
        <Avatar name={name === "" ? t("call.agent") : name} identity={identity} large />
      </div>
    );
  }
  return (
    <>
      {screen?.screen !== null && screen !== undefined && (
        <div class="face screen">
          <Video handle={screen.screen} fit="contain" label={screen.name} />
        </div>
      )}
      <div class={`faces count-${Math.min(others.length, 4)}${screen === undefined ? "" : " small"}`}>
        {others.map((person) => (
          <div
            key={person.identity}
            class={`face${person.isSpeaking ? " speaking" : ""}`}
            role="group"
            aria-label={person.isSpeaking ? t("call.speaking", { name: person.name }) : person.name}
            data-person={person.identity}
          >
            {person.camera === null ? <Avatar name={person.name} identity={person.identity} large /> : <Video handle={person.camera} fit="cover" />}
            <span class="face-name">{person.name}</span>
          </div>
        ))}
      </div>
    </>
  );
}

function OwnPicture({ room }: { room: CallSnapshot }) {
  const { t, controller } = useAmbience();
  const own = room.participants.find((each) => each.isLocal);
  const [back, setBack] = useState(false);
  if (own === undefined || own.camera === null) return null;
  return (
    <div class="own-picture">
      <Video handle={own.camera} fit="cover" mirrored={!back} label={t("call.you")} />
      {room.devices.videoinput.length > 1 && (
        <button
          type="button"
          class="icon-button small"
          aria-label={t("call.flip")}
          title={t("call.flip")}
          onClick={() => {
            void controller.devices.setCamera(true, back ? "user" : "environment");
            setBack(!back);
          }}
        >
          <FlipIcon />
        </button>
      )}
    </div>
  );
}

/** Where guiding shows what support sees, with its marks. */
function SharedPicture({ sharing }: { sharing: ScreenSharing }) {
  const { t } = useAmbience();
  const { phase } = useStore(sharing.state);
  return (
    <>
      {phase === "on" && (
        <p class="banner" data-sharing>
          {t("call.sharing")}
        </p>
      )}
      <sharing.Mirror />
    </>
  );
}

function CallTime({ since }: { since: string | null }) {
  const { t } = useAmbience();
  useTick(1000, since !== null);
  if (since === null) return null;
  const time = formatDuration((Date.now() - Date.parse(since)) / 1000);
  return (
    <span class="call-time" title={t("call.duration", { time })}>
      {time}
    </span>
  );
}

export function NetworkBadge({ state, room }: { state: HelpState; room: CallSnapshot | null }) {
  const { t } = useAmbience();
  const own = room?.participants.find((each) => each.isLocal);
  const key = networkKey(state, own?.quality ?? "unknown");
  const levels = { good: 3, fair: 2, poor: 1, lost: 0, unknown: 0 } as const;
  return (
    <span class={`network ${key}`} data-network={key}>
      <SignalIcon level={levels[key]} />
      <span>{t(`network.${key}`)}</span>
    </span>
  );
}

function Controls({ state, room, sharing, onShare, more, onMore, onChat, onEnd }: {
  state: HelpState;
  room: CallSnapshot | null;
  sharing: ScreenSharing | null;
  onShare: () => Promise<ScreenSharing | null>;
  more: boolean;
  onMore: () => void;
  onChat: () => void;
  onEnd: () => void;
}) {
  const { t, controller } = useAmbience();
  const live = room?.phase === "connected" && room.canPublish;
  const held = state.call?.state === "held";
  const microphone = room?.microphone === "on" && !held;
  const camera = room?.camera === "on";
  return (
    <div class="controls" role="toolbar" aria-label={t("call.controls")}>
      <Control
        name="microphone"
        on={microphone}
        label={t(microphone ? "call.microphoneOff" : "call.microphoneOn")}
        text={t("call.microphone")}
        disabled={!live || held || room.microphone === "waiting"}
        onPress={() => void controller.devices.setMicrophone(!microphone)}
      >
        {microphone ? <MicrophoneIcon /> : <MicrophoneOffIcon />}
      </Control>
      <Control
        name="camera"
        on={camera}
        label={t(camera ? "call.cameraOff" : "call.cameraOn")}
        text={t("call.camera")}
        disabled={!live || room.camera === "waiting"}
        onPress={() => void controller.devices.setCamera(!camera)}
      >
        {camera ? <CameraIcon /> : <CameraOffIcon />}
      </Control>
      <ScreenControl sharing={sharing} onShare={onShare} disabled={!live || room.screen === "waiting"} />
      <Control name="chat" label={state.unread > 0 ? t("call.chatUnread", { n: state.unread }) : t("call.chat")} text={t("call.chat")} onPress={onChat}>
        <ChatIcon />
        {state.unread > 0 && <span class="badge">{state.unread}</span>}
      </Control>
      <Control name="more" label={t("call.more")} text={t("call.more")} expanded={more} disabled={room === null} onPress={onMore}>
        <MoreIcon />
      </Control>
      <Control name="hang-up" label={t("call.hangUp")} text={t("call.hangUp")} danger onPress={onEnd}>
        <LeaveIcon />
      </Control>
    </div>
  );
}

function ScreenControl({ sharing, onShare, disabled }: {
  sharing: ScreenSharing | null;
  onShare: () => Promise<ScreenSharing | null>;
  disabled: boolean;
}) {
  const { t, controller } = useAmbience();
  const [phase, setPhase] = useState<"off" | "asking" | "on">("off");
  useEffect(() => {
    if (sharing === null) {
      setPhase("off");
      return undefined;
    }
    const read = (): void => setPhase(sharing.state.get().phase);
    read();
    return sharing.state.subscribe(read);
  }, [sharing]);
  const on = phase === "on";
  return (
    <Control
      name="screen"
      on={on}
      label={t(on ? "call.screenStop" : "call.screen")}
      text={t(on ? "call.screenStop" : "call.screen")}
      disabled={disabled || phase === "asking"}
      onPress={() => {
        if (on) void sharing?.stop();
        else if (!canShareScreen()) controller.notify({ kind: "screenMissing" });
        else void onShare().then(async (made) => (await (made?.start() ?? null)) !== null && controller.notify({ kind: "screenFailed" }));
      }}
    >
      {on ? <ScreenOffIcon /> : <ScreenIcon />}
    </Control>
  );
}

function Control(props: {
  name: string;
  label: string;
  text: string;
  on?: boolean;
  expanded?: boolean;
  danger?: boolean;
  disabled?: boolean;
  onPress: () => void;
  children: preact.ComponentChildren;
}) {
  return (
    <button
      type="button"
      class={`control${props.on === false ? " off" : ""}${props.danger === true ? " danger" : ""}`}
      data-control={props.name}
      aria-label={props.label}
      title={props.label}
      aria-pressed={props.on}
      aria-expanded={props.expanded}
      disabled={props.disabled}
      onClick={props.onPress}
    >
      <span class="control-icon">{props.children}</span>
      <span class="control-text">{props.text}</span>
    </button>
  );
}

/** Devices, sound only, and what was decided about recording. */
function More({ state, room, media }: { state: HelpState; room: CallSnapshot; media: HelpMedia }) {
  const { t, controller } = useAmbience();
  const first = useRef<HTMLButtonElement>(null);
  useEffect(() => first.current?.focus(), []);
  const devices = [
    { kind: "audioinput", key: "call.deviceMicrophone", list: room.devices.audioinput },
    { kind: "audiooutput", key: "call.deviceSpeaker", list: room.devices.audiooutput },
    { kind: "videoinput", key: "call.deviceCamera", list: room.devices.videoinput },
  ] as const;
  return (
    <div class="more" data-page="more">
      <button
        ref={first}
        type="button"
        class="switch"
        role="switch"
        aria-checked={media.audioOnly}
        data-action="audio-only"
        onClick={() => void controller.devices.setAudioOnly(!media.audioOnly)}
      >
        <span>
          {t("call.audioOnly")}
          <small>{t("call.audioOnlyHint")}</small>
        </span>
        <span class="switch-knob" aria-hidden="true" />
      </button>
      {devices.map(({ kind, key, list }) =>
        list.length < 2 ? null : (
          <label key={kind} class="device">
            <span>{t(key)}</span>
            <select value={room.activeDevices[kind] ?? ""} onChange={(event) => void controller.devices.select(kind, event.currentTarget.value)}>
              {list.map((device, index) => (
                <option key={device.deviceId} value={device.deviceId}>
                  {device.label === "" ? t("call.deviceUnnamed", { n: index + 1 }) : device.label}
                </option>
              ))}
            </select>
          </label>
        ),
      )}
      <ConsentState state={state} />
    </div>
  );
}

/** A chat without sound: who answers, and the ways to a talk. */
export function ChatCallHead({ state }: { state: HelpState }) {
  const { t, controller } = useAmbience();
  const [ending, setEnding] = useState(false);
  const agent = agentOf(state.call);
  const name = agent === null || agent.name === "" ? t("call.agent") : agent.name;
  return (
    <div class="chat-head">
      <Avatar name={name} identity={agent?.id ?? ""} />
      <span class="call-who">{t("call.chatWith", { name })}</span>
      {ending ? (
        <Fragment>
          <button type="button" class="button danger" data-action="hang-up-yes" onClick={() => void controller.talk.hangUp()}>
            {t("call.hangUpYes")}
          </button>
          <button type="button" class="button" onClick={() => setEnding(false)}>
            {t("call.hangUpNo")}
          </button>
        </Fragment>
      ) : (
        <Fragment>
          <button type="button" class="icon-button" title={t("call.upgradeVoice")} aria-label={t("call.upgradeVoice")} data-action="upgrade-voice" onClick={() => void controller.talk.upgrade("voice")}>
            <MicrophoneIcon />
          </button>
          <button type="button" class="icon-button" title={t("call.upgradeVideo")} aria-label={t("call.upgradeVideo")} data-action="upgrade-video" onClick={() => void controller.talk.upgrade("video")}>
            <CameraIcon />
          </button>
          <button type="button" class="icon-button danger" title={t("call.hangUp")} aria-label={t("call.hangUp")} data-control="hang-up" onClick={() => setEnding(true)}>
            <LeaveIcon />
          </button>
        </Fragment>
      )}
    </div>
  );
}

