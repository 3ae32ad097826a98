import {
  type LocalTrackPublication,
  type RemoteTrackPublication,
  LogLevel,
  RoomEvent,
  setLogLevel,
  Track,
  TrackEvent,
  type TrackPublication,
} from "livekit-client";
import type { CallSnapshot } from "../call/model";
import { problemOfDevice, ProblemError, type ProblemKind } from "../call/problem";
import { CallSession } from "../call/session";
import { requireDevices } from "../media/preview";
import type { JoinToken } from "../token";

// The console belongs to the host page, and the SDK calls it an error there when a room is closed.
setLogLevel(LogLevel.silent);

/** The participant that plays music to those who wait; not a person. */
export const MUSIC_IDENTITY = "raisehand-music";

export interface HelpMediaOptions {
  readonly devices: Partial<Record<MediaDeviceKind, string>>;
  /** The class's own microphone, where the page lends it. */
  readonly borrowed: () => MediaStreamTrack | null;
  /** The microphone was taken away (a phone call) or came back. */
  readonly onInterrupted: (on: boolean) => void;
  readonly onChange: (snapshot: CallSnapshot) => void;
}

/** The media side of a request for help: a call session that knows how to borrow a microphone. */
export class HelpMedia {
  readonly session: CallSession;
  #borrowed: MediaStreamTrack | null = null;
  #watched: MediaStreamTrack | null = null;
  #audioOnly = false;
  #opening = false;

  constructor(private readonly options: HelpMediaOptions) {
    this.session = new CallSession({
      room: "",
      devices: options.devices,
      codec: null,
      singlePeerConnection: true,
      adaptiveStream: true,
      dynacast: true,
    });
    this.session.state.subscribe(() => this.options.onChange(this.session.state.get()));
    this.session.room.on(RoomEvent.TrackPublished, this.#onRemoteTrack);
    this.session.room.on(RoomEvent.LocalTrackPublished, this.#watchMicrophone);
    this.session.room.on(RoomEvent.LocalTrackUnpublished, this.#watchMicrophone);
  }

  get snapshot(): CallSnapshot {
    return this.session.state.get();
  }

  get audioOnly(): boolean {
    return this.#audioOnly;
  }

  async join(token: () => Promise<JoinToken>): Promise<void> {
    await this.session.join({ token, tracks: () => ({ audio: null, video: null }), microphone: false, camera: false });
  }

  /** Sends the microphone, borrowed or own; failures come back as a problem. */
  async setMicrophone(on: boolean): Promise<ProblemKind | null> {
    const local = this.session.room.localParticipant;
    const known = local.getTrackPublication(Track.Source.Microphone);
    if (this.#opening) return null;
    this.#opening = true;
    try {
      if (on && known !== undefined && this.#borrowed !== null && this.#borrowed.readyState === "ended") {
        await this.#dropMicrophone(known); // The class has closed or changed its microphone.
      } else if (known !== undefined) {
        await local.setMicrophoneEnabled(on);
        return null;
      }
      if (!on) return null;
      const lent = this.options.borrowed();
      if (lent?.readyState === "live") {
        // A copy: the class may go on muting its own, and ending ours leaves the class's alone.
        this.#borrowed = lent.clone();
        this.#borrowed.enabled = true;
        await local.publishTrack(this.#borrowed, { source: Track.Source.Microphone });
        return null;
      }
      requireDevices();
      await local.setMicrophoneEnabled(true);
      return null;
    } catch (error) {
      return problemOfDevice("microphone", error);
    } finally {
      this.#opening = false;
    }
  }

  async #dropMicrophone(publication: LocalTrackPublication): Promise<void> {
    const track = publication.track;
    if (track !== undefined) await this.session.room.localParticipant.unpublishTrack(track, true);
    this.#borrowed = null;
  }

  /** `facing`: which of a phone's cameras. */
  async setCamera(on: boolean, facing: "user" | "environment" | null = null): Promise<ProblemKind | null> {
    const local = this.session.room.localParticipant;
    try {
      if (on) requireDevices();
      const known = local.getTrackPublication(Track.Source.Camera);
      if (on && facing !== null && known?.videoTrack !== undefined && !known.isMuted) {
        await known.videoTrack.restartTrack({ facingMode: facing });
        return null;
      }
      await local.setCameraEnabled(on, facing === null ? undefined : { facingMode: facing });
      return null;
    } catch (error) {
      return problemOfDevice("camera", error);
    }
  }

  /** Receives no pictures any more, and sends no own face. */
  async setAudioOnly(on: boolean): Promise<void> {
    this.#audioOnly = on;
    for (const participant of this.session.room.remoteParticipants.values()) {
      for (const publication of participant.videoTrackPublications.values()) publication.setSubscribed(!on);
    }
    if (on && this.session.room.localParticipant.isCameraEnabled) await this.setCamera(false);
  }

  readonly #onRemoteTrack = (publication: RemoteTrackPublication): void => {
    if (this.#audioOnly && publication.kind === Track.Kind.Video) publication.setSubscribed(false);
  };

  /** A phone call mutes or ends the microphone's track from outside: the person is told, and it comes back. */
  readonly #watchMicrophone = (): void => {
    const publication: TrackPublication | undefined = this.session.room.localParticipant.getTrackPublication(
      Track.Source.Microphone,
    );
    publication?.track?.off(TrackEvent.Restarted, this.#onRestarted).on(TrackEvent.Restarted, this.#onRestarted);
    const track = publication?.track?.mediaStreamTrack ?? null;
    if (track === this.#watched) return;
    for (const name of ["mute", "unmute", "ended"] as const) {
      this.#watched?.removeEventListener(name, this.#onTrack);
      track?.addEventListener(name, this.#onTrack);
    }
    this.#watched = track;
  };

  /** The SDK opens a lost microphone anew by itself, where the system lets it. */
  readonly #onRestarted = (): void => {
    this.#watchMicrophone();
    this.#onTrack();
  };

  readonly #onTrack = (): void => {
    const track = this.#watched;
    this.options.onInterrupted(track !== null && (track.muted || track.readyState === "ended"));
  };

  /** After an interruption: opens the microphone anew if it did not come back. */
  async revive(): Promise<ProblemKind | null> {
    const publication = this.session.room.localParticipant.getTrackPublication(Track.Source.Microphone);
    const track = publication?.audioTrack;
    if (publication === undefined || track === undefined) return this.setMicrophone(true);
    const raw = track.mediaStreamTrack;
    if (raw.readyState === "live" && !raw.muted) {
      this.options.onInterrupted(false);
      return null;
    }
    try {
      if (this.#borrowed !== null) {
        await this.#dropMicrophone(publication);
        const problem = await this.setMicrophone(true);
        if (problem === null) this.options.onInterrupted(false);
        return problem;
      }
      await track.restartTrack();
      return null;
    } catch (error) {
      return problemOfDevice("microphone", error);
    }
  }

  async leave(): Promise<void> {
    await this.session.leave();
    this.#borrowed?.stop();
    this.#borrowed = null;
  }
}

/** Asks the browser for a device and gives it back at once: from then on it may be opened without a question. */
export async function askForDevice(source: "microphone" | "camera"): Promise<ProblemKind | null> {
  try {
    requireDevices();
    const stream = await navigator.mediaDevices.getUserMedia(source === "microphone" ? { audio: true } : { video: true });
    for (const track of stream.getTracks()) track.stop();
    return null;
  } catch (error) {
    return error instanceof ProblemError ? error.kind : problemOfDevice(source, error);
  }
}
