import type { ProblemKind } from "../call/problem";
import type { HelpCore } from "./core";
import type { HelpState } from "./model";
import { microphonePermission } from "./permission";
import type { HelpRoom } from "./room";

/** Microphone and camera: what the person wants, what the browser allows, and what is sent. */
export class Devices {
  /** What the person wants of the microphone in this call; null: on as soon as it may be. */
  #microphoneWanted: boolean | null = null;
  /** Between asking for the microphone and having it. */
  #microphoneTurns = false;
  #cameraWanted = false;

  constructor(
    private readonly core: HelpCore,
    private readonly room: HelpRoom,
  ) {
    room.snapshot.subscribe(() => this.tune());
  }

  /** A new talk: the microphone is on as soon as it may be. */
  wantMicrophone(): void {
    this.#microphoneWanted = null;
  }

  /** Whether the camera is on as soon as it may be. */
  wantCamera(on: boolean): void {
    this.#cameraWanted = on;
  }

  /** Asks the browser; must run inside a tap. */
  async allowMicrophone(): Promise<void> {
    this.core.dispatch({ type: "microphone", state: "asking" });
    this.core.dispatch({ type: "microphoneSkipped", skipped: false });
    const { askForDevice } = await import("./media");
    const problem = await askForDevice("microphone");
    this.#setMicrophoneState(problem);
    if (problem === null && this.#cameraWanted) {
      const camera = await askForDevice("camera");
      if (camera !== null) {
        this.#cameraWanted = false;
        this.#noticeCamera(camera);
      }
    }
    this.#microphoneWanted = problem === null ? true : null;
    this.tune();
  }

  skipMicrophone(): void {
    this.core.dispatch({ type: "microphoneSkipped", skipped: true });
    this.core.kept.change({ microphoneSkipped: true });
  }

  /** Finds out whether the browser would have to be asked. */
  async checkMicrophone(): Promise<void> {
    const { microphone, kind } = this.core.state.get();
    if (kind === "chat" || microphone === "granted" || microphone === "asking") return;
    const lent = this.core.options.classroom.microphone() !== null;
    const state = lent ? "granted" : await microphonePermission();
    if (this.core.state.get().microphone !== "asking") this.core.dispatch({ type: "microphone", state });
    this.tune();
  }

  async setMicrophone(on: boolean): Promise<void> {
    const media = this.room.media.get();
    this.#microphoneWanted = on;
    if (media === null || this.#microphoneTurns) return;
    this.#microphoneTurns = true;
    const problem = await media.setMicrophone(on);
    this.#microphoneTurns = false;
    if (problem !== null) {
      this.#microphoneWanted = null;
      this.#setMicrophoneState(problem);
      this.core.dispatch({ type: "microphoneSkipped", skipped: false });
    } else if (on) {
      this.#setMicrophoneState(null);
    }
  }

  /** `facing`: which of a phone's cameras. */
  async setCamera(on: boolean, facing: "user" | "environment" | null = null): Promise<void> {
    const problem = await this.room.media.get()?.setCamera(on, facing);
    if (problem !== null && problem !== undefined) this.#noticeCamera(problem);
  }

  /** No pictures any more, in neither direction. */
  async setAudioOnly(on: boolean): Promise<void> {
    await this.room.media.get()?.setAudioOnly(on);
    this.room.snapshot.update((room) => (room === null ? null : { ...room }));
  }

  async select(kind: MediaDeviceKind, id: string): Promise<void> {
    await this.room.media.get()?.session.selectDevice(kind, id);
  }

  /** After a phone call took the microphone. */
  async revive(): Promise<void> {
    const problem = (await this.room.media.get()?.revive()) ?? null;
    if (problem !== null) this.#setMicrophoneState(problem);
  }

  /** Brings the microphone (and, in a video call, the camera) in line with what is wanted and allowed. */
  tune(): void {
    const state = this.core.state.get();
    const room = this.room.snapshot.get();
    if (this.room.media.get() === null || room?.phase !== "connected" || !room.canPublish || state.phase === "waiting") return;
    const may = state.microphone === "granted" && this.#microphoneWanted !== false;
    if (may && room.microphone === "off" && !this.#microphoneTurns && !state.microphoneInterrupted) {
      this.#microphoneWanted = true;
      void this.setMicrophone(true);
    }
    if (this.#cameraWanted && room.camera === "off" && state.microphone !== "asking" && state.microphone !== "explain") {
      this.#cameraWanted = false;
      void this.setCamera(true);
    }
  }

  #setMicrophoneState(problem: ProblemKind | null): void {
    this.core.dispatch({ type: "microphone", state: microphoneState(problem) });
  }

  #noticeCamera(problem: ProblemKind): void {
    if (problem === "cameraDenied" || problem === "cameraMissing" || problem === "cameraBusy") this.core.notice({ kind: problem });
  }
}

function microphoneState(problem: ProblemKind | null): HelpState["microphone"] {
  switch (problem) {
    case null:
      return "granted";
    case "microphoneMissing":
      return "missing";
    case "microphoneBusy":
      return "busy";
    case "insecurePage":
      return "insecure";
    default:
      return "denied";
  }
}
