import type { ApiClient, Schemas } from "../api/client";
import { type DeskEvent, EventStream, type StreamState } from "../api/events";
import { Store } from "../store";

export interface DeskState {
  readonly stream: StreamState;
}

export interface DeskOptions {
  readonly api: ApiClient;
  /** Origin (and path prefix) of the server. */
  readonly base: string;
  readonly me: Schemas["Me"];
  /** The session is no longer accepted. */
  readonly onRefused: () => void;
}

type Listener = (event: DeskEvent) => void;

/** Staff state of one person signed in: fed by events and routes, never touching the page. */
export class StaffDesk {
  readonly state = new Store<DeskState>({ stream: "connecting" });
  readonly #listeners = new Set<Listener>();
  #stream: EventStream | null = null;

  constructor(readonly options: DeskOptions) {}

  start(): void {
    this.#stream = new EventStream({
      base: this.options.base,
      token: null,
      after: null,
      onEvent: (event) => {
        for (const listener of [...this.#listeners]) listener(event);
      },
      onReady: () => undefined,
      onState: (stream) => {
        this.state.update((state) => ({ ...state, stream }));
        if (stream === "refused") this.options.onRefused();
      },
    });
  }

  /** Every event that this person may see, as it comes. Returns the function that ends the subscription. */
  onEvent(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  retryNow(): void {
    this.#stream?.retryNow();
  }

  close(): void {
    this.#stream?.close();
    this.#stream = null;
  }
}
