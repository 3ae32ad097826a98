import type { Store } from "../store";
import type { ProblemKind } from "./problem";
import type { ParticipantStatistics } from "./statistics";

export type Phase = "connecting" | "connected" | "reconnecting" | "ended";

/** What one of our own devices is doing. `waiting`: the browser or the device has not answered yet. */
export type DeviceState = "off" | "waiting" | "on";

export type Quality = "excellent" | "good" | "poor" | "lost" | "unknown";

/** `auto` follows the tile's size; the others name a layer of the sender's picture. */
export type LayerChoice = "auto" | "high" | "medium" | "low";

/** Something that can be played in a media element. */
export interface MediaHandle {
  /** Changes exactly when the element must be attached anew. */
  readonly key: string;
  /** Attaches to an element of the page; the returned function detaches. */
  readonly attach: (element: HTMLMediaElement) => () => void;
}

export interface ParticipantView {
  readonly identity: string;
  /** As chosen by that person: to be shown as text only. */
  readonly name: string;
  readonly isLocal: boolean;
  readonly isSpeaking: boolean;
  /** null: no microphone published. */
  readonly microphone: "on" | "muted" | null;
  readonly audio: MediaHandle | null;
  readonly screenAudio: MediaHandle | null;
  readonly camera: MediaHandle | null;
  readonly screen: MediaHandle | null;
  /** The server has paused the picture for want of bandwidth. */
  readonly cameraPaused: boolean;
  readonly quality: Quality;
  readonly cameraLayer: LayerChoice;
  readonly screenLayer: LayerChoice;
  readonly joinedAtMs: number;
}

export interface ChatMessage {
  readonly id: string;
  readonly identity: string;
  readonly name: string;
  readonly isLocal: boolean;
  readonly text: string;
  readonly atMs: number;
  readonly failed: boolean;
}

/** Something to tell without ending the call. */
export interface Notice {
  readonly id: string;
  readonly kind: ProblemKind;
}

export interface Devices {
  readonly audioinput: readonly MediaDeviceInfo[];
  readonly audiooutput: readonly MediaDeviceInfo[];
  readonly videoinput: readonly MediaDeviceInfo[];
}

export interface CallSnapshot {
  readonly phase: Phase;
  readonly room: string;
  /** Ourselves first, then the others in order of arrival. */
  readonly participants: readonly ParticipantView[];
  readonly microphone: DeviceState;
  readonly camera: DeviceState;
  readonly screen: DeviceState;
  readonly canPublish: boolean;
  readonly canPlayAudio: boolean;
  readonly chat: readonly ChatMessage[];
  readonly notices: readonly Notice[];
  readonly devices: Devices;
  readonly activeDevices: Partial<Record<MediaDeviceKind, string>>;
  readonly connectedAtMs: number | null;
  /** Why the call has ended; null while it lasts and after we left ourselves. */
  readonly problem: ProblemKind | null;
}

/** A call as the pages see it; `CallSession` is the real one. */
export interface Call {
  readonly state: Store<CallSnapshot>;
  /** By identity; renewed each second while connected. */
  readonly statistics: Store<ReadonlyMap<string, ParticipantStatistics>>;
  setMicrophone(on: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  setScreen(on: boolean): Promise<void>;
  selectDevice(kind: MediaDeviceKind, deviceId: string): Promise<void>;
  setLayer(identity: string, source: "camera" | "screen", choice: LayerChoice): void;
  sendChat(text: string): Promise<void>;
  /** Must run inside a click: browsers refuse sound before one. */
  startAudio(): Promise<void>;
  dismissNotice(id: string): void;
  leave(): Promise<void>;
}

export const NO_DEVICES: Devices = { audioinput: [], audiooutput: [], videoinput: [] };
