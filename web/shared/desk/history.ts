import { type ApiClient, ApiError, type Schemas, unwrap } from "../api/client";
import { Store } from "../store";
import type { Call, Message } from "./model";

/** One contact: a call, or something written elsewhere. */
export type Contact =
  | { readonly kind: "call"; readonly id: string; readonly atMs: number; readonly call: Call; readonly messages: number }
  | { readonly kind: "message"; readonly id: string; readonly atMs: number; readonly message: Message };

export interface HistoryState {
  /** Newest first. */
  readonly contacts: readonly Contact[];
  /** Whether older ones may follow. */
  readonly more: boolean;
  readonly loading: boolean;
  readonly error: ApiError | null;
}

export const EMPTY_HISTORY: HistoryState = { contacts: [], more: true, loading: false, error: null };

/** One request's share. */
const PAGE = 200;

type Page = Schemas["HistoryAnswer"];

/** Adds a page of older contacts, each once. What was written in a call counts with the call. */
export function withPage(known: readonly Contact[], page: Page): readonly Contact[] {
  const inCalls = new Map<string, number>();
  for (const message of page.messages) {
    if (message.call !== null) inCalls.set(message.call, (inCalls.get(message.call) ?? 0) + 1);
  }
  const seen = new Set(known.map((each) => each.id));
  const fresh: Contact[] = [];
  for (const call of page.calls) {
    if (seen.has(call.id)) continue;
    fresh.push({ kind: "call", id: call.id, atMs: Date.parse(call.created_at), call, messages: inCalls.get(call.id) ?? 0 });
  }
  for (const message of page.messages) {
    if (message.call !== null || seen.has(message.id)) continue;
    fresh.push({ kind: "message", id: message.id, atMs: Date.parse(message.at), message });
  }
  fresh.sort((one, other) => other.atMs - one.atMs);
  return [...known, ...fresh];
}

/** All contacts of a student, read page by page as somebody scrolls back. */
export class History {
  readonly state = new Store<HistoryState>(EMPTY_HISTORY);
  #until: string | null = null;

  constructor(
    private readonly api: ApiClient,
    readonly student: string,
  ) {}

  /** Reads the next page, unless one is on its way or all is there. */
  async more(): Promise<void> {
    const { more, loading } = this.state.get();
    if (!more || loading) return;
    this.state.update((state) => ({ ...state, loading: true, error: null }));
    try {
      const page = await unwrap(
        this.api.GET("/v1/students/{student}/history", {
          params: {
            path: { student: this.student },
            query: { limit: PAGE, ...(this.#until === null ? {} : { until: this.#until }) },
          },
        }),
      );
      this.#until = page.next;
      this.state.update((state) => ({
        contacts: withPage(state.contacts, page),
        more: page.next !== null,
        loading: false,
        error: null,
      }));
    } catch (error) {
      const problem = error instanceof ApiError ? error : new ApiError("unexpected", 0, String(error));
      // Nobody has ever heard of this student: there is no history.
      const none = problem.code === "not_found";
      this.state.update((state) => ({ ...state, loading: false, more: !none, error: none ? null : problem }));
    }
  }
}
