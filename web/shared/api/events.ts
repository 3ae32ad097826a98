/** One event of `GET /v1/events`. `call.position` is of the moment and repeats the id of the last stored event. */
export interface DeskEvent {
  readonly id: number;
  readonly type: string;
  readonly at: string;
  readonly call: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

export type StreamState =
  | "connecting"
  | "open"
  /** Cut off; trying again. */
  | "reconnecting"
  /** The credential is not, or no longer, accepted: nothing is tried again. */
  | "refused"
  | "closed";

export interface EventStreamOptions {
  /** Origin (and path prefix) of the server. */
  readonly base: string;
  /** The bearer token for the first message; null where the session cookie speaks. */
  readonly token: (() => string) | null;
  /** Where to resume; null: from now on. */
  readonly after: number | null;
  readonly onEvent: (event: DeskEvent) => void;
  /** Connected: what follows is new. Read the state by the routes when `resumed` is false. */
  readonly onReady: (resumed: boolean) => void;
  readonly onState?: (state: StreamState) => void;
}

/** Pauses between tries, in milliseconds; the last repeats. A third of each is random, so that pages spread. */
export const RETRY_MS = [250, 500, 1000, 2000, 4000, 8000] as const;
/** A connection that says nothing for so long while opening is given up, in milliseconds. */
const OPENING_MS = 10_000;
const UNAUTHENTICATED = 4401;
const FORBIDDEN = 4403;

/** The server's events, kept open: resumes after every cut, nothing lost, nothing doubled. */
export class EventStream {
  #socket: WebSocket | null = null;
  #after: number | null;
  #tries = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #state: StreamState = "connecting";
  #ended = false;

  constructor(private readonly options: EventStreamOptions) {
    this.#after = options.after;
    this.#open();
  }

  get state(): StreamState {
    return this.#state;
  }

  /** Id of the last event seen, for resuming after a reload. */
  get lastId(): number | null {
    return this.#after;
  }

  /** Tries at once, for instance when the browser says that the network is back. */
  retryNow(): void {
    if (this.#ended || this.#state !== "reconnecting") return;
    clearTimeout(this.#timer);
    this.#open();
  }

  close(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
    this.#socket = null;
    this.#become("closed");
  }

  #open(): void {
    this.#socket?.close();
    const address = new URL(`${this.options.base.replace(/\/+$/, "")}/v1/events`);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const { token } = this.options;
    if (token === null && this.#after !== null) address.searchParams.set("after", String(this.#after));
    const socket = new WebSocket(address);
    this.#socket = socket;
    this.#timer = setTimeout(() => socket.close(), OPENING_MS);
    socket.onopen = () => {
      if (token === null) return;
      socket.send(JSON.stringify(this.#after === null ? { token: token() } : { token: token(), after: this.#after }));
    };
    socket.onmessage = (message: MessageEvent<string>) => {
      if (socket === this.#socket) this.#receive(JSON.parse(message.data) as DeskEvent);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#lost(event.code);
    };
  }

  #receive(event: DeskEvent): void {
    if (event.type === "events.lost") {
      this.#after = null; // The state has to be read anew; `ready` brings the id to go on from.
      return;
    }
    if (event.type === "ready") {
      clearTimeout(this.#timer);
      this.#tries = 0;
      const resumed = this.#after !== null;
      this.#after = event.id;
      this.#become("open");
      this.options.onReady(resumed);
      return;
    }
    this.#after = event.id;
    this.options.onEvent(event);
  }

  #lost(code: number): void {
    clearTimeout(this.#timer);
    this.#socket = null;
    if (this.#ended) return;
    if (code === UNAUTHENTICATED || code === FORBIDDEN) {
      this.#become("refused");
      return;
    }
    const pause = RETRY_MS[Math.min(this.#tries, RETRY_MS.length - 1)] ?? 0;
    this.#tries += 1;
    this.#become("reconnecting");
    this.#timer = setTimeout(() => this.#open(), pause * (1 + Math.random() / 3));
  }

  #become(state: StreamState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.options.onState?.(state);
  }
}
