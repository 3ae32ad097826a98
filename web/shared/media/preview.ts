import { createLocalAudioTrack, createLocalVideoTrack, type LocalAudioTrack, type LocalVideoTrack, Room } from "livekit-client";
import type { DeviceState, Devices, MediaHandle } from "../call/model";
import { NO_DEVICES } from "../call/model";
import { problemOfDevice, ProblemError, type ProblemKind } from "../call/problem";
import { Store } from "../store";

export interface PreviewSnapshot {
  readonly microphone: DeviceState;
  readonly camera: DeviceState;
  readonly picture: MediaHandle | null;
  readonly problem: ProblemKind | null;
  readonly devices: Devices;
  readonly activeDevices: Partial<Record<MediaDeviceKind, string>>;
}

/** The tracks that a preview hands over to the call, still running. */
export interface PreviewTracks {
  readonly audio: LocalAudioTrack | null;
  readonly video: LocalVideoTrack | null;
}

/** What the join page needs of a preview. */
export interface Preview {
  readonly state: Store<PreviewSnapshot>;
  /** Current microphone level 0..1; reading it is cheap enough for every frame. */
  level(): number;
  setMicrophone(on: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  selectDevice(kind: MediaDeviceKind, deviceId: string): Promise<void>;
  /** Browsers keep sound analysis asleep before the first click. */
  wake(): void;
  /** Gives the running tracks away and ends the preview. */
  handOver(): PreviewTracks;
  close(): void;
}

/** Opens camera and microphone before a call, so that a person can see and hear what others will. */
export class DevicePreview implements Preview {
  readonly state: Store<PreviewSnapshot>;
  #audio: LocalAudioTrack | null = null;
  #video: LocalVideoTrack | null = null;
  #meter: LevelMeter | null = null;
  #closed = false;

  constructor(devices: Partial<Record<MediaDeviceKind, string>>) {
    this.state = new Store<PreviewSnapshot>({
      microphone: "off",
      camera: "off",
      picture: null,
      problem: null,
      devices: NO_DEVICES,
      activeDevices: devices,
    });
    void this.#listDevices();
    mediaDevices()?.addEventListener("devicechange", this.#onDeviceChange);
  }

  level(): number {
    return this.#meter?.level() ?? 0;
  }

  wake(): void {
    this.#meter?.wake();
  }

  async setMicrophone(on: boolean): Promise<void> {
    if (this.#closed) return;
    if (!on) {
      this.#stopAudio();
      this.#change({ microphone: "off" });
      return;
    }
    if (this.#audio !== null || this.state.get().microphone === "waiting") return;
    this.#change({ microphone: "waiting", problem: null });
    try {
      requireDevices();
      const track = await createLocalAudioTrack(withDevice(this.state.get().activeDevices.audioinput));
      if (this.#discard(track, "microphone")) return;
      this.#audio = track;
      this.#meter = LevelMeter.open(track.mediaStreamTrack);
      this.#change({ microphone: "on" });
      void this.#listDevices();
    } catch (error) {
      this.#change({ microphone: "off", problem: problemOfDevice("microphone", error) });
    }
  }

  async setCamera(on: boolean): Promise<void> {
    if (this.#closed) return;
    if (!on) {
      this.#stopVideo();
      this.#change({ camera: "off", picture: null });
      return;
    }
    if (this.#video !== null || this.state.get().camera === "waiting") return;
    this.#change({ camera: "waiting", problem: null });
    try {
      requireDevices();
      const track = await createLocalVideoTrack(withDevice(this.state.get().activeDevices.videoinput));
      if (this.#discard(track, "camera")) return;
      this.#video = track;
      this.#change({ camera: "on", picture: handleOf(track) });
      void this.#listDevices();
    } catch (error) {
      this.#change({ camera: "off", problem: problemOfDevice("camera", error) });
    }
  }

  async selectDevice(kind: MediaDeviceKind, deviceId: string): Promise<void> {
    this.#change({ activeDevices: { ...this.state.get().activeDevices, [kind]: deviceId } });
    if (kind === "audioinput" && this.#audio !== null) {
      this.#stopAudio();
      this.#change({ microphone: "off" });
      await this.setMicrophone(true);
    } else if (kind === "videoinput" && this.#video !== null) {
      this.#stopVideo();
      this.#change({ camera: "off", picture: null });
      await this.setCamera(true);
    }
  }

  handOver(): PreviewTracks {
    const tracks = { audio: this.#audio, video: this.#video };
    this.#audio = null;
    this.#video = null;
    this.close();
    return tracks;
  }

  close(): void {
    this.#closed = true;
    mediaDevices()?.removeEventListener("devicechange", this.#onDeviceChange);
    this.#stopAudio();
    this.#stopVideo();
  }

  readonly #onDeviceChange = (): void => {
    void this.#listDevices();
  };

  async #listDevices(): Promise<void> {
    const devices = await listDevices();
    if (!this.#closed) this.#change({ devices });
  }

  /** A track that arrives after the person changed their mind is stopped at once. */
  #discard(track: LocalAudioTrack | LocalVideoTrack, source: "microphone" | "camera"): boolean {
    if (!this.#closed && this.state.get()[source] === "waiting") return false;
    track.stop();
    return true;
  }

  #stopAudio(): void {
    this.#meter?.close();
    this.#meter = null;
    this.#audio?.stop();
    this.#audio = null;
  }

  #stopVideo(): void {
    this.#video?.stop();
    this.#video = null;
  }

  #change(change: Partial<PreviewSnapshot>): void {
    this.state.update((current) => ({ ...current, ...change }));
  }
}

/** All devices, by kind. Without a permission the browser hides their names, or all of them. */
export async function listDevices(): Promise<Devices> {
  if (mediaDevices() === undefined) return NO_DEVICES;
  try {
    const all = await Room.getLocalDevices(undefined, false);
    const of = (kind: MediaDeviceKind): MediaDeviceInfo[] =>
      all.filter((device) => device.kind === kind && device.deviceId !== "");
    return { audioinput: of("audioinput"), audiooutput: of("audiooutput"), videoinput: of("videoinput") };
  } catch {
    return NO_DEVICES;
  }
}

/** Whether both devices may be opened without a question of the browser's. */
export async function devicesAllowed(): Promise<boolean> {
  try {
    const states = await Promise.all(
      (["microphone", "camera"] as const).map((name) => navigator.permissions.query({ name: name })),
    );
    return states.every((status) => status.state === "granted");
  } catch {
    return false; // Not every browser answers for these two names.
  }
}

/** `navigator.mediaDevices`, which browsers leave out on insecure pages. */
export function mediaDevices(): MediaDevices | undefined {
  return (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
}

/** Throws `ProblemError("insecurePage")` where the browser offers no devices at all. */
export function requireDevices(): void {
  if (mediaDevices() === undefined) throw new ProblemError("insecurePage");
}

/** Capture options for a device of one's choice; without one the browser's default. */
export function withDevice(deviceId: string | undefined): { deviceId?: { ideal: string } } {
  return deviceId === undefined ? {} : { deviceId: { ideal: deviceId } };
}

function handleOf(track: LocalVideoTrack): MediaHandle {
  return {
    key: track.mediaStreamTrack.id,
    attach: (element) => {
      track.attach(element);
      return () => void track.detach(element);
    },
  };
}

/** Loudness of one track. */
class LevelMeter {
  readonly #context: AudioContext;
  readonly #analyser: AnalyserNode;
  readonly #samples: Float32Array<ArrayBuffer>;

  private constructor(track: MediaStreamTrack) {
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 512;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#context.createMediaStreamSource(new MediaStream([track])).connect(this.#analyser);
  }

  /** null where the browser has no sound analysis: the preview works without a meter. */
  static open(track: MediaStreamTrack): LevelMeter | null {
    try {
      return new LevelMeter(track);
    } catch {
      return null;
    }
  }

  wake(): void {
    if (this.#context.state === "suspended") void this.#context.resume();
  }

  /** 0..1 on a scale of decibels: -60 dBFS is silence, -6 dBFS is full. */
  level(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let power = 0;
    for (const sample of this.#samples) power += sample * sample;
    const decibels = 10 * Math.log10(power / this.#samples.length + 1e-12);
    return Math.min(1, Math.max(0, (decibels + 60) / 54));
  }

  close(): void {
    void this.#context.close();
  }
}
