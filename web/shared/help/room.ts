import { ApiError, type Schemas } from "../api/client";
import type { CallSnapshot } from "../call/model";
import type { ProblemKind } from "../call/problem";
import { Store } from "../store";
import type { HelpCore } from "./core";
import type { CallFeed } from "./feed";
import type { HelpMedia } from "./media";
import type { HelpState } from "./model";

/** Pauses between tries to join the room again, in milliseconds; the last repeats. */
const REJOIN_MS = [300, 1000, 2000, 4000] as const;
/** Failures in a row after which the network counts as blocking calls. */
const BLOCKED_AFTER = 3;
/** Failed tries to join again after which the talk does not count as going on, until one succeeds. */
const OUT_OF_REACH_AFTER = 5;

/** Being in the call's room: joins, joins again after a cut, leaves. */
export class HelpRoom {
  /** The media client; null while not in a room. */
  readonly media = new Store<HelpMedia | null>(null);
  /** The room as the media client sees it; null while not in one. */
  readonly snapshot = new Store<CallSnapshot | null>(null);
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #token: Schemas["MediaAnswer"] | null = null;

  constructor(
    private readonly core: HelpCore,
    private readonly feed: CallFeed,
  ) {}

  /** A token that came with an answer; the next join uses it. */
  offer(token: Schemas["MediaAnswer"] | null): void {
    this.#token = token;
  }

  /** Forgets earlier failures. */
  forgive(): void {
    this.#failures = 0;
    this.core.dispatch({ type: "outOfReach", on: false });
  }

  /** The call is open in another window: take it here. */
  takeHere(): void {
    this.forgive();
    this.#token = null;
    this.core.dispatch({ type: "media", media: "none" });
  }

  async join(): Promise<void> {
    const { core } = this;
    const params = core.path;
    if (params === null) return;
    core.dispatch({ type: "media", media: "joining" });
    const { HelpMedia } = await import("./media");
    if (!belongsInRoom(core.state.get()) || this.media.get() !== null) return;
    const media = new HelpMedia({
      devices: core.options.devices,
      borrowed: () => core.options.classroom.microphone(),
      onInterrupted: (on) => core.dispatch({ type: "interrupted", on }),
      onChange: (snapshot) => this.#onChange(media, snapshot),
    });
    this.media.set(media);
    this.snapshot.set(media.snapshot);
    await media.join(async () => {
      const given = this.#token;
      this.#token = null; // Good for once: later joins ask for a fresh one.
      if (given !== null) return given;
      const answer = await core.requests.send((api) => api.POST("/v1/calls/{call}/media", { params }));
      if (answer.media === null) throw new ApiError("call_closed", 410, "no room");
      return answer.media;
    });
  }

  leave(): void {
    const media = this.media.get();
    clearTimeout(this.#timer);
    this.media.set(null);
    this.snapshot.set(null);
    this.core.dispatch({ type: "media", media: "none" });
    void media?.leave();
  }

  #onChange(media: HelpMedia, snapshot: CallSnapshot): void {
    if (this.media.get() !== media) return;
    const { core } = this;
    if (snapshot.phase === "ended") {
      this.media.set(null);
      this.snapshot.set(null);
      this.#lost(snapshot.problem);
      return;
    }
    this.snapshot.set(snapshot);
    if (snapshot.phase === "connected") {
      if (core.state.get().media === "reconnecting") core.notice({ kind: "restored" });
      this.forgive();
      core.dispatch({ type: "media", media: "joined" });
    } else if (snapshot.phase === "reconnecting") {
      core.dispatch({ type: "media", media: "reconnecting" });
    }
  }

  #lost(problem: ProblemKind | null): void {
    const { core } = this;
    if (problem === "duplicateIdentity") {
      core.dispatch({ type: "media", media: "elsewhere" });
      return;
    }
    this.#failures += 1;
    if (problem === "mediaBlocked" && this.#failures >= BLOCKED_AFTER) {
      core.dispatch({ type: "media", media: "blocked" });
      return;
    }
    core.dispatch({ type: "media", media: "reconnecting" });
    if (this.#failures > OUT_OF_REACH_AFTER) core.dispatch({ type: "outOfReach", on: true });
    clearTimeout(this.#timer);
    const pause = REJOIN_MS[Math.min(this.#failures - 1, REJOIN_MS.length - 1)] ?? 0;
    this.#timer = setTimeout(() => void this.#rejoin(), pause);
  }

  async #rejoin(): Promise<void> {
    const { core } = this;
    try {
      await this.feed.read();
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 0 && error.status < 500 && error.status !== 429)) return;
      this.#lost("serverUnreachable");
      return;
    }
    if (belongsInRoom(core.state.get()) && this.media.get() === null) {
      core.dispatch({ type: "media", media: "none" });
      if (core.state.get().media === "none") void this.join();
    }
  }
}

/** Whether the room is to be joined now. */
export function belongsInRoom(state: HelpState): boolean {
  if (state.guest === "invited" || state.guest === "left") return false;
  return state.kind !== "chat" && (state.phase === "waiting" || state.phase === "connecting" || state.phase === "talking");
}
