import { type ApiClient, ApiError, type Schemas, unwrap } from "../api/client";
import type { DeskEvent } from "../api/events";
import { Store } from "../store";

export type Call = Schemas["CallAnswer"];
export type Mode = Schemas["Mode"];
export type Quality = "excellent" | "good" | "poor" | "lost" | "unknown";

export interface FloorState {
  /** Whether all calls were read once. */
  readonly loaded: boolean;
  /** Calls that somebody has accepted and that are not over, by id. */
  readonly calls: ReadonlyMap<string, Call>;
  /** Of the student's line, by call; unknown until measured. */
  readonly qualities: ReadonlyMap<string, Quality>;
  /** What agents wrote when they raised a hand, by call. */
  readonly notes: ReadonlyMap<string, string>;
}

/** States of calls that are talked in. */
const TALKING = ["connecting", "active", "held"] as const;
const TALKING_STATES: ReadonlySet<string> = new Set(TALKING);
const QUALITIES: ReadonlySet<string> = new Set(["excellent", "good", "poor", "lost"]);
/** Changes that come in a burst are read once, after this pause in milliseconds. */
const GATHER_MS = 80;
/** From one look at the lines to the next, milliseconds; and how many calls are looked at each time. */
const LOOK_MS = 2_000;
const LOOKS = 10;
const AGAIN_MS = 2_000;
const PAGE = 200;

export function talks(call: Call): boolean {
  return TALKING_STATES.has(call.state);
}

/** What goes on now, for supervisors: every call in progress, kept true by events. */
export class Floor {
  readonly state = new Store<FloorState>({ loaded: false, calls: new Map(), qualities: new Map(), notes: new Map() });
  readonly #stale = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  #next = 0;
  #ended = false;

  constructor(private readonly api: ApiClient) {}

  start(): void {
    void this.read();
    this.#looking = setTimeout(() => void this.#look(), LOOK_MS / 4);
  }

  close(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#looking);
    clearTimeout(this.#again);
  }

  /** Every event, as it comes. */
  onEvent(event: DeskEvent): void {
    if (event.call === null || event.type === "call.position" || event.type === "message.created") return;
    if (event.type === "hand.raised") {
      const notes = new Map(this.state.get().notes).set(event.call, typeof event.data.note === "string" ? event.data.note : "");
      this.#change({ notes });
    }
    this.#stale.add(event.call);
    this.#gather();
  }

  /** Takes over what a route answered. */
  adopt(call: Call): void {
    const known = this.state.get().calls.get(call.id);
    if (known !== undefined && known.version > call.version) return;
    const calls = new Map(this.state.get().calls);
    if (talks(call)) calls.set(call.id, call);
    else calls.delete(call.id);
    this.#change({ calls });
  }

  /** Reads all calls anew. */
  async read(): Promise<void> {
    clearTimeout(this.#again);
    try {
      const found = await Promise.all(
        TALKING.map((state) => unwrap(this.api.GET("/v1/calls", { params: { query: { state, limit: PAGE } } }))),
      );
      const calls = new Map(found.flatMap(({ items }) => items).map((call) => [call.id, call]));
      this.#change({ loaded: true, calls });
    } catch (error) {
      if (this.#ended || (error instanceof ApiError && (error.status === 401 || error.status === 403))) return;
      this.#again = setTimeout(() => void this.read(), AGAIN_MS);
    }
  }

  #gather(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const stale = [...this.#stale];
      this.#stale.clear();
      for (const call of stale) void this.#readCall(call);
    }, GATHER_MS);
  }

  async #readCall(id: string): Promise<void> {
    try {
      this.adopt(await unwrap(this.api.GET("/v1/calls/{call}", { params: { path: { call: id } } })));
    } catch (error) {
      const final = error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429;
      if (this.#ended || final) return;
      this.#stale.add(id);
      setTimeout(() => this.#gather(), AGAIN_MS);
    }
  }

  /** Looks at the lines of some calls, then at the next ones: many calls must not mean many requests. */
  async #look(): Promise<void> {
    const calls = [...this.state.get().calls.values()].filter((call) => call.kind !== "chat");
    const some = Array.from({ length: Math.min(LOOKS, calls.length) }, (_, index) => calls[(this.#next + index) % calls.length]);
    this.#next = calls.length === 0 ? 0 : (this.#next + some.length) % calls.length;
    const qualities = new Map<string, Quality>();
    for (const [id, quality] of this.state.get().qualities) if (this.state.get().calls.has(id)) qualities.set(id, quality);
    await Promise.all(
      some.map(async (call) => {
        if (call === undefined) return;
        try {
          const line = await unwrap(this.api.GET("/v1/calls/{call}/diagnostics", { params: { path: { call: call.id } } }));
          const student = call.participants.find((person) => person.kind === "student")?.identity;
          qualities.set(call.id, qualityOf(line.participants.find((person) => person.identity === student)?.quality));
        } catch {
          qualities.set(call.id, "unknown"); // Shown as such; the next look may tell.
        }
      }),
    );
    if (this.#ended) return;
    this.#change({ qualities });
    this.#looking = setTimeout(() => void this.#look(), LOOK_MS);
  }

  #change(change: Partial<FloorState>): void {
    if (!this.#ended) this.state.update((state) => ({ ...state, ...change }));
  }
}

function qualityOf(quality: string | undefined): Quality {
  return quality !== undefined && QUALITIES.has(quality) ? (quality as Quality) : "unknown";
}
