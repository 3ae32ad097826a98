import {
  ConnectionState,
  type DisconnectReason,
  type LocalAudioTrack,
  type LocalVideoTrack,
  MediaDeviceFailure,
  Room,
  RoomEvent,
  Track,
  type VideoCodec,
} from "livekit-client";
import { listDevices, type PreviewTracks, requireDevices } from "../media/preview";
import { Store } from "../store";
import type { JoinToken } from "../token";
import { CHAT_TOPIC, withMessage } from "./chat";
import { LayerChoices } from "./layers";
import type { Call, CallSnapshot, ChatMessage, DeviceState, LayerChoice } from "./model";
import { NO_DEVICES } from "./model";
import { problemOfConnect, problemOfDevice, problemOfDisconnect, type ProblemKind } from "./problem";
import { viewParticipants } from "./snapshot";
import type { ParticipantStatistics } from "./statistics";
import { StatisticsPoller } from "./statisticsPoller";

export interface SessionOptions {
  /** Shown until the server names the room. */
  readonly room: string;
  readonly devices: Partial<Record<MediaDeviceKind, string>>;
  readonly codec: VideoCodec | null;
  readonly singlePeerConnection: boolean;
  readonly adaptiveStream: boolean;
  readonly dynacast: boolean;
}

export interface JoinRequest {
  /** Asked for afresh at every join, because tokens expire. */
  readonly token: () => Promise<JoinToken>;
  /** Gives up running tracks, once connected, to be published; what is missing is opened when wanted. */
  readonly tracks: () => PreviewTracks | Promise<PreviewTracks>;
  readonly microphone: boolean;
  readonly camera: boolean;
}

export interface DeviceWishes {
  readonly microphone?: boolean;
  readonly camera?: boolean;
}

type Running = LocalAudioTrack | LocalVideoTrack | null;
type Source = "microphone" | "camera" | "screen";

/** Events after which the picture of the room is drawn anew. */
const REFRESHING_EVENTS = [
  RoomEvent.ParticipantConnected,
  RoomEvent.ParticipantDisconnected,
  RoomEvent.TrackPublished,
  RoomEvent.TrackUnpublished,
  RoomEvent.TrackSubscribed,
  RoomEvent.TrackUnsubscribed,
  RoomEvent.TrackMuted,
  RoomEvent.TrackUnmuted,
  RoomEvent.TrackStreamStateChanged,
  RoomEvent.LocalTrackPublished,
  RoomEvent.LocalTrackUnpublished,
  RoomEvent.ActiveSpeakersChanged,
  RoomEvent.ConnectionQualityChanged,
  RoomEvent.ParticipantNameChanged,
  RoomEvent.ParticipantPermissionsChanged,
  RoomEvent.AudioPlaybackStatusChanged,
  RoomEvent.ActiveDeviceChanged,
  RoomEvent.Moved,
] as const;

/** One call through livekit-client: from joining to the end. A new call needs a new session. */
export class CallSession implements Call {
  readonly room: Room;
  readonly state: Store<CallSnapshot>;
  readonly statistics = new Store<ReadonlyMap<string, ParticipantStatistics>>(new Map());
  readonly #poller: StatisticsPoller;
  readonly #layers = new LayerChoices();
  /** Sources between a click and the answer of browser, device or server. */
  readonly #waiting = new Set<Source>();
  #wishes: DeviceWishes = {};
  #refreshQueued = false;
  #noticeCount = 0;

  constructor(private readonly options: SessionOptions) {
    this.room = new Room({
      adaptiveStream: options.adaptiveStream,
      dynacast: options.dynacast,
      singlePeerConnection: options.singlePeerConnection,
      publishDefaults: {
        red: true,
        dtx: true,
        simulcast: true,
        ...(options.codec === null ? {} : { videoCodec: options.codec }),
      },
      ...captureDefaults(options.devices),
    });
    this.#poller = new StatisticsPoller(this.room, this.statistics);
    this.state = new Store<CallSnapshot>({
      phase: "connecting",
      room: options.room,
      participants: [],
      microphone: "off",
      camera: "off",
      screen: "off",
      canPublish: true,
      canPlayAudio: true,
      chat: [],
      notices: [],
      devices: NO_DEVICES,
      activeDevices: options.devices,
      connectedAtMs: null,
      problem: null,
    });
    for (const event of REFRESHING_EVENTS) this.room.on(event, this.#refreshSoon);
    this.room.on(RoomEvent.ConnectionStateChanged, this.#onConnectionState);
    this.room.on(RoomEvent.Disconnected, this.#onDisconnected);
    this.room.on(RoomEvent.MediaDevicesChanged, () => void this.#listDevices());
    this.room.on(RoomEvent.MediaDevicesError, (error, kind) => {
      const source = kind === "videoinput" ? "camera" : "microphone";
      if (MediaDeviceFailure.getFailure(error) !== undefined) this.#notify(problemOfDevice(source, error));
    });
    this.room.on(RoomEvent.ChatMessage, (message, participant) => {
      if (participant === undefined || participant.isLocal) return;
      this.#receive(message.id, participant.identity, message.message, message.timestamp);
    });
    this.room.registerTextStreamHandler(CHAT_TOPIC, (reader, from) => {
      void reader.readAll().then(
        (text) => this.#receive(reader.info.id, from.identity, text, reader.info.timestamp),
        () => undefined, // The sender left in the middle of a message: there is nothing to show.
      );
    });
  }

  /** Resolves when connected or ended; failures end in `state.problem`, nothing is thrown. */
  async join(request: JoinRequest): Promise<void> {
    try {
      const { url, token } = await request.token();
      if (this.#hasEnded()) return;
      await this.room.connect(url, token);
      if (this.#hasEnded()) return;
    } catch (error) {
      this.#end(problemOfConnect(error));
      return;
    }
    this.#change({ phase: "connected", connectedAtMs: Date.now() });
    this.#poller.start();
    this.#refresh();
    void this.#listDevices();
    const tracks = await request.tracks();
    if (this.state.get().canPublish && !this.#hasEnded()) {
      await Promise.all([
        this.#publishFirst("microphone", tracks.audio, request.microphone),
        this.#publishFirst("camera", tracks.video, request.camera),
      ]);
    } else {
      tracks.audio?.stop();
      tracks.video?.stop();
    }
  }

  /** What was switched by hand in this session. */
  get wishes(): DeviceWishes {
    return this.#wishes;
  }

  async setMicrophone(on: boolean): Promise<void> {
    this.#wishes = { ...this.#wishes, microphone: on };
    await this.#guard("microphone", async () => {
      if (on) requireDevices();
      await this.room.localParticipant.setMicrophoneEnabled(on);
    });
  }

  async setCamera(on: boolean): Promise<void> {
    this.#wishes = { ...this.#wishes, camera: on };
    await this.#guard("camera", async () => {
      if (on) requireDevices();
      await this.room.localParticipant.setCameraEnabled(on);
    });
  }

  async setScreen(on: boolean): Promise<void> {
    await this.#guard("screen", async () => {
      if (on) requireDevices();
      await this.room.localParticipant.setScreenShareEnabled(on, { audio: true, selfBrowserSurface: "exclude" });
    });
  }

  async selectDevice(kind: MediaDeviceKind, deviceId: string): Promise<void> {
    try {
      await this.room.switchActiveDevice(kind, deviceId);
    } catch (error) {
      this.#notify(problemOfDevice(kind === "videoinput" ? "camera" : "microphone", error));
    }
    this.#change({ activeDevices: { ...this.state.get().activeDevices, [kind]: deviceId } });
  }

  setLayer(identity: string, source: "camera" | "screen", choice: LayerChoice): void {
    const publication = this.room.remoteParticipants
      .get(identity)
      ?.getTrackPublication(source === "camera" ? Track.Source.Camera : Track.Source.ScreenShare);
    if (publication === undefined) return;
    this.#layers.choose(publication, choice);
    this.#refresh();
  }

  async sendChat(text: string): Promise<void> {
    const local = this.room.localParticipant;
    const message: ChatMessage = {
      id: crypto.randomUUID(),
      identity: local.identity,
      name: local.name ?? local.identity,
      isLocal: true,
      text,
      atMs: Date.now(),
      failed: false,
    };
    this.#change({ chat: withMessage(this.state.get().chat, message) });
    try {
      await local.sendText(text, { topic: CHAT_TOPIC });
    } catch {
      this.#change({ chat: withMessage(this.state.get().chat, { ...message, failed: true }) });
      this.#notify("chatFailed");
    }
  }

  async startAudio(): Promise<void> {
    try {
      await this.room.startAudio();
    } catch {
      // Still refused: the banner stays and can be clicked again.
    }
    this.#refresh();
  }

  dismissNotice(id: string): void {
    this.#change({ notices: this.state.get().notices.filter((notice) => notice.id !== id) });
  }

  async leave(): Promise<void> {
    this.#end(null);
    await this.room.disconnect();
  }

  /** Publishes a running track of the preview, or opens the device if it is wanted but not running. */
  async #publishFirst(source: "microphone" | "camera", track: Running, wanted: boolean): Promise<void> {
    if (!wanted) {
      track?.stop();
      return;
    }
    await this.#guard(source, async () => {
      const local = this.room.localParticipant;
      if (track !== null && !track.isMuted) {
        await local.publishTrack(track, {
          source: source === "microphone" ? Track.Source.Microphone : Track.Source.Camera,
        });
        return;
      }
      requireDevices();
      await (source === "microphone" ? local.setMicrophoneEnabled(true) : local.setCameraEnabled(true));
    });
  }

  /** Runs one device change at a time per source, and turns its failure into a notice. */
  async #guard(source: Source, act: () => Promise<void>): Promise<void> {
    if (this.#waiting.has(source)) return;
    this.#waiting.add(source);
    this.#refresh();
    try {
      await act();
    } catch (error) {
      if (!this.#hasEnded()) this.#notify(problemOfDevice(source, error));
    } finally {
      this.#waiting.delete(source);
      this.#refresh();
    }
  }

  readonly #onConnectionState = (state: ConnectionState): void => {
    const { phase } = this.state.get();
    if (phase === "connecting" || phase === "ended") return;
    if (state === ConnectionState.Reconnecting || state === ConnectionState.SignalReconnecting) {
      this.#change({ phase: "reconnecting" });
    } else if (state === ConnectionState.Connected) {
      this.#change({ phase: "connected" });
      this.#refresh();
    }
  };

  readonly #onDisconnected = (reason?: DisconnectReason): void => {
    if (this.state.get().phase === "connecting") return; // `join` tells what went wrong.
    this.#end(problemOfDisconnect(reason));
  };

  /** Many events come in one burst (a join, a speaker change): draw once per task. */
  readonly #refreshSoon = (): void => {
    if (this.#refreshQueued) return;
    this.#refreshQueued = true;
    queueMicrotask(() => {
      this.#refreshQueued = false;
      this.#refresh();
    });
  };

  #refresh(): void {
    const current = this.state.get();
    if (current.phase === "ended" || current.phase === "connecting") return;
    const local = this.room.localParticipant;
    const stateOf = (source: Source, on: boolean): DeviceState =>
      this.#waiting.has(source) ? "waiting" : on ? "on" : "off";
    this.#change({
      room: this.room.name !== "" ? this.room.name : this.options.room,
      participants: viewParticipants(this.room, (publication) => this.#layers.of(publication)),
      microphone: stateOf("microphone", local.isMicrophoneEnabled),
      camera: stateOf("camera", local.isCameraEnabled),
      screen: stateOf("screen", local.isScreenShareEnabled),
      canPublish: local.permissions?.canPublish ?? true,
      canPlayAudio: this.room.canPlaybackAudio,
      activeDevices: { ...current.activeDevices, ...this.#currentDevices() },
    });
  }

  #currentDevices(): Partial<Record<MediaDeviceKind, string>> {
    const found: Partial<Record<MediaDeviceKind, string>> = {};
    for (const kind of ["audioinput", "audiooutput", "videoinput"] as const) {
      const id = this.room.getActiveDevice(kind);
      if (id !== undefined && id !== "") found[kind] = id;
    }
    return found;
  }

  async #listDevices(): Promise<void> {
    this.#change({ devices: await listDevices() });
  }

  #receive(id: string, identity: string, text: string, atMs: number): void {
    const sender = this.room.remoteParticipants.get(identity);
    const name = sender?.name !== undefined && sender.name !== "" ? sender.name : identity;
    const message: ChatMessage = { id, identity, name, isLocal: false, text, atMs, failed: false };
    this.#change({ chat: withMessage(this.state.get().chat, message) });
  }

  #notify(kind: ProblemKind | null): void {
    if (kind === null) return;
    const others = this.state.get().notices.filter((notice) => notice.kind !== kind);
    this.#noticeCount += 1;
    this.#change({ notices: [...others, { id: String(this.#noticeCount), kind }] });
  }

  #hasEnded(): boolean {
    return this.state.get().phase === "ended";
  }

  #end(problem: ProblemKind | null): void {
    if (this.#hasEnded()) return;
    this.#poller.stop();
    this.#change({ phase: "ended", problem, participants: [], notices: [] });
  }

  #change(change: Partial<CallSnapshot>): void {
    this.state.update((current) => ({ ...current, ...change }));
  }
}

function captureDefaults(devices: Partial<Record<MediaDeviceKind, string>>): ConstructorParameters<typeof Room>[0] {
  return {
    ...(devices.audioinput === undefined ? {} : { audioCaptureDefaults: { deviceId: { ideal: devices.audioinput } } }),
    ...(devices.videoinput === undefined ? {} : { videoCaptureDefaults: { deviceId: { ideal: devices.videoinput } } }),
    ...(devices.audiooutput === undefined ? {} : { audioOutput: { deviceId: devices.audiooutput } }),
  };
}
