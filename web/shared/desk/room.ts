import { type ApiClient, ApiError, type Schemas, unwrap } from "../api/client";
import type { ProblemKind } from "../call/problem";
import { CallSession, type DeviceWishes } from "../call/session";
import { DevicesAhead } from "../media/ahead";
import { Store } from "../store";

export type Media = Schemas["MediaAnswer"];

/** Ends that a new attempt may mend; after the others somebody else is in charge. */
const MENDABLE: ReadonlySet<ProblemKind> = new Set<ProblemKind>([
  "connectionLost",
  "serverShutdown",
  "serverUnreachable",
  "mediaBlocked",
  "roomDeleted",
  "removed",
  "tokenInvalid",
  "unexpected",
]);
/** Pauses before each new attempt, in milliseconds; the last repeats. */
const PAUSES_MS = [200, 500, 1000, 2000, 4000, 8000] as const;

export interface RoomState {
  readonly is: "joining" | "in" | "cut" | "elsewhere" | "out";
  /** The current attempt's session. */
  readonly session: CallSession | null;
}

export interface CallRoomOptions {
  readonly api: ApiClient;
  /** Where the page's signalling is. */
  readonly signalUrl: string;
  readonly devices: () => Partial<Record<MediaDeviceKind, string>>;
  readonly camera: () => boolean;
  /** Whether to enter with microphone and camera closed: a supervisor who only listens. */
  readonly quiet?: () => boolean;
  /** Learns anew which calls are ours; one that is not any more is left. */
  readonly check: () => Promise<void>;
  /** The server says that this person no longer belongs to the call. */
  readonly onExpelled: () => void;
}

/** The media side of one call of ours: enters, enters again after every cut, and leaves. */
export class CallRoom {
  readonly state = new Store<RoomState>({ is: "out", session: null });
  #tries = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;
  /** What the person switched on and off: it holds when the connection has to be made anew. */
  #chosen: DeviceWishes = {};

  constructor(
    readonly call: string,
    private readonly options: CallRoomOptions,
  ) {}

  /** `media`: as given on accepting; without it a fresh token is asked for. */
  enter(media: Media | null = null): void {
    const { is } = this.state.get();
    if (this.#ended || is === "joining" || is === "in") return;
    clearTimeout(this.#timer);
    const session = new CallSession({
      room: this.call,
      devices: this.options.devices(),
      codec: null,
      singlePeerConnection: true,
      adaptiveStream: true,
      dynacast: true,
    });
    this.state.set({ is: "joining", session });
    const quiet = this.options.quiet?.() ?? false;
    const wanted = {
      microphone: this.#chosen.microphone ?? !quiet,
      camera: this.#chosen.camera ?? (this.options.camera() && !quiet),
    };
    const ahead = new DevicesAhead(wanted, this.options.devices());
    const ended = session.state.subscribe(() => {
      const snapshot = session.state.get();
      if (snapshot.phase === "ended") {
        ended();
        ahead.close();
        this.#chosen = { ...this.#chosen, ...session.wishes };
        if (this.state.get().session === session) this.#lost(snapshot.problem);
      } else if (this.state.get().session === session && snapshot.phase !== "connecting") {
        this.#tries = 0;
        this.#become("in", session);
      }
    });
    void session.join({
      token: async () => {
        const given = media ?? (await this.#token());
        return { url: this.options.signalUrl, token: given.token };
      },
      tracks: () => ahead.take(),
      ...wanted,
    });
  }

  /** Opens the microphone of somebody who entered quietly. */
  speak(): void {
    void this.state.get().session?.setMicrophone(true);
  }

  leave(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    const { session } = this.state.get();
    this.state.set({ is: "out", session: null });
    void session?.leave();
  }

  async #token(): Promise<Media> {
    try {
      const answer = await unwrap(this.options.api.POST("/v1/calls/{call}/media", { params: { path: { call: this.call } } }));
      if (answer.media === null) throw new ApiError("call_closed", 409, "the call has no media");
      return answer.media;
    } catch (error) {
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) this.#expelled();
      throw error;
    }
  }

  #expelled(): void {
    this.#ended = true;
    this.state.set({ is: "out", session: null });
    this.options.onExpelled();
  }

  #lost(problem: ProblemKind | null): void {
    if (this.#ended) return;
    if (problem === "duplicateIdentity") {
      this.#become("elsewhere", null);
      return;
    }
    if (problem === null || !MENDABLE.has(problem)) {
      this.#become("cut", null);
      return;
    }
    this.#become("cut", null);
    const pause = PAUSES_MS[Math.min(this.#tries, PAUSES_MS.length - 1)] ?? 0;
    this.#tries += 1;
    this.#timer = setTimeout(() => {
      // Somebody put out of the room usually has no call any more: the event that says so may still be on its way.
      void this.options
        .check()
        .catch(() => undefined)
        .then(() => this.enter());
    }, pause);
  }

  #become(is: RoomState["is"], session: CallSession | null): void {
    const now = this.state.get();
    if (now.is !== is || now.session !== session) this.state.set({ is, session });
  }
}
