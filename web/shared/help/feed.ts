import { type DeskEvent, EventStream } from "../api/events";
import type { HelpCore } from "./core";
import { isOpen } from "./model";

/** After an event the call is read once, this much later, in milliseconds: several events come together. */
const READ_MS = 150;

/** Keeps the call as the server has it: the events as they come, and a reading where they do not say all. */
export class CallFeed {
  #stream: EventStream | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `onReady`: the stream is open, and what was written before it may have been missed; may throw `ApiError`. */
  constructor(
    private readonly core: HelpCore,
    private readonly onReady: () => Promise<void>,
  ) {}

  /** Listens from now on; safe to call again. */
  open(): void {
    if (this.#stream !== null) return;
    this.#stream = new EventStream({
      base: this.core.options.base,
      token: () => this.core.options.credentials.current,
      after: null,
      onEvent: (event) => this.#onEvent(event),
      onReady: () => {
        // Whether resumed or not: what happened before the stream was open is read once.
        if (isOpen(this.core.state.get())) this.#readSoon();
        void this.core.attempts.quietly(this.onReady);
      },
      onState: (state) => {
        this.core.dispatch({ type: "stream", state });
        if (state === "refused") void this.#renew();
      },
    });
  }

  /** Tries again at once: the page came to the front, or the network is back. */
  wake(): void {
    this.#stream?.retryNow();
    if (isOpen(this.core.state.get())) this.#readSoon();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = null;
  }

  /** Reads the call, or another one that becomes the call; throws `ApiError`. */
  async read(id: string | null = null): Promise<void> {
    const { core } = this;
    const call = id ?? core.state.get().call?.id;
    if (call === undefined) return;
    const read = await core.requests.send((api) => api.GET("/v1/calls/{call}", { params: { path: { call } } }));
    core.dispatch({ type: "read", call: read, self: core.self });
    const { phase, place } = core.state.get();
    if (phase === "waiting" && place === null) await this.readPlace();
  }

  /** Reads the place in the queue; throws `ApiError`. */
  async readPlace(): Promise<void> {
    const params = this.core.path;
    if (params === null) return;
    const place = await this.core.requests.send((api) => api.GET("/v1/calls/{call}/queue", { params }));
    this.core.dispatch({ type: "placed", place });
  }

  /** Reads when we have promised to come back; throws `ApiError`. */
  async readPromise(): Promise<void> {
    const ticket = this.core.state.get().call?.ticket_id;
    if (ticket === undefined) return;
    const read = await this.core.requests.send((api) => api.GET("/v1/tickets/{ticket}", { params: { path: { ticket } } }));
    const next = read.dues.map((due) => due.at).sort()[0];
    this.core.dispatch({ type: "promised", at: next ?? null });
  }

  #onEvent(event: DeskEvent): void {
    const { core } = this;
    core.dispatch({ type: "event", event, self: core.self });
    const own = event.call === core.state.get().call?.id;
    if (event.type === "call.summoned" && !own && event.call !== null) void core.attempts.quietly(() => this.read(event.call));
    else if (own && event.type !== "call.position" && event.type !== "message.created") this.#readSoon();
  }

  async #renew(): Promise<void> {
    const { credentials } = this.core.options;
    this.#stream?.close();
    this.#stream = null;
    if (!credentials.renewable) {
      this.core.dispatch({ type: "problem", code: "unauthenticated" });
      return;
    }
    await this.core.attempts.openly(async () => {
      await credentials.renew();
      this.open();
    });
  }

  #readSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.core.attempts.quietly(() => this.read()), READ_MS);
  }
}
