import { type ApiClient, type Schemas, unwrap } from "../api/client";
import { Store } from "../store";

export type Diagnostics = Schemas["DiagnosticsAnswer"];
export type Direction = "uplink" | "downlink";
export type Measure = "bitrate" | "loss" | "jitter" | "rtt";

export const MEASURES: readonly Measure[] = ["bitrate", "loss", "jitter", "rtt"];
/** Seconds that the curves show. */
export const SHOWN_S = 120;
/** From reading to reading, milliseconds. */
const EVERY_MS = 1000;
/** Names of people who are none: played sounds. */
const HIDDEN: ReadonlySet<string> = new Set(["raisehand-music"]);

/** One moment of one participant. */
export interface Sample {
  readonly atMs: number;
  readonly uplink: Readonly<Record<Measure, number | null>>;
  readonly downlink: Readonly<Record<Measure, number | null>>;
}

export interface LineState {
  readonly latest: Diagnostics | null;
  /** When the latest came, by this machine's clock. */
  readonly readMs: number | null;
  /** Oldest first, by identity. */
  readonly series: ReadonlyMap<string, readonly Sample[]>;
}

export const EMPTY_LINE: LineState = { latest: null, readMs: null, series: new Map() };

/** Adds a reading; what is older than the curves show falls off, and so does who has left. */
export function withReading(state: LineState, latest: Diagnostics, nowMs: number): LineState {
  const series = new Map<string, readonly Sample[]>();
  for (const each of latest.participants) {
    if (HIDDEN.has(each.identity)) continue;
    const known = state.series.get(each.identity) ?? [];
    const sample: Sample = {
      atMs: nowMs,
      uplink: measuresOf(each.uplink),
      downlink: measuresOf(each.downlink),
    };
    series.set(each.identity, [...known, sample].filter((one) => one.atMs > nowMs - SHOWN_S * 1000));
  }
  return { latest, readMs: nowMs, series };
}

function measuresOf(direction: Schemas["DirectionAnswer"]): Readonly<Record<Measure, number | null>> {
  const sends = direction.streams.some((stream) => stream.active);
  return {
    bitrate: sends ? direction.bitrate_bps : null,
    loss: direction.loss,
    jitter: direction.jitter_ms,
    rtt: direction.round_trip_time_ms,
  };
}

/** Reads a call's figures each second while somebody looks at them. */
export class Line {
  readonly state = new Store<LineState>(EMPTY_LINE);
  #timer: ReturnType<typeof setInterval> | undefined;
  #busy = false;

  constructor(
    private readonly api: ApiClient,
    private readonly call: string,
  ) {}

  start(): void {
    if (this.#timer !== undefined) return;
    void this.#read();
    this.#timer = setInterval(() => void this.#read(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #read(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const latest = await unwrap(this.api.GET("/v1/calls/{call}/diagnostics", { params: { path: { call: this.call } } }));
      if (this.#timer !== undefined) this.state.update((state) => withReading(state, latest, Date.now()));
    } catch {
      // The panel says how old its figures are; the next second tries again.
    } finally {
      this.#busy = false;
    }
  }
}
