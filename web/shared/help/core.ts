import type { Schemas } from "../api/client";
import { Store } from "../store";
import { Attempts } from "./attempts";
import { readPlatformClaims } from "./claims";
import { Kept } from "./memory";
import { type HelpState, type Notice, START } from "./model";
import type { HelpOptions } from "./options";
import { type Action, reduce } from "./reducer";
import { Requests } from "./requests";

interface Effects {
  /** The state has changed. */
  readonly follow: (before: HelpState, after: HelpState) => void;
  /** Reads the call anew. */
  readonly reread: () => Promise<void>;
}

/** What the parts of the controller share: the state and how it changes, the server, and what a reload leaves. */
export class HelpCore {
  readonly state: Store<HelpState>;
  readonly requests: Requests;
  readonly attempts: Attempts;
  readonly kept: Kept;
  #closed = false;

  constructor(
    readonly options: HelpOptions,
    private readonly effects: Effects,
  ) {
    const guest = options.guestOf === null ? null : "invited";
    this.state = new Store<HelpState>({ ...START, kind: options.kind, musicMuted: options.musicMuted, guest });
    this.requests = new Requests(options.base, options.credentials);
    this.kept = new Kept(options.memory);
    this.attempts = new Attempts({
      onProblem: (code) => this.dispatch({ type: "problem", code }),
      onCallGone: effects.reread,
    });
  }

  /** Who asks for help. */
  get self(): string {
    return readPlatformClaims(this.options.credentials.current)?.id ?? "";
  }

  /** The call's id in the server's routes; null without a call. */
  get path(): { path: { call: string } } | null {
    const { call } = this.state.get();
    return call === null ? null : { path: { call: call.id } };
  }

  dispatch(action: Action): void {
    if (this.#closed) return;
    const before = this.state.get();
    this.state.set(reduce(before, action));
    const after = this.state.get();
    if (after !== before) this.effects.follow(before, after);
  }

  notice(notice: Notice): void {
    this.dispatch({ type: "notice", notice });
  }

  /** Does something to the call that a person waits for, and takes its new state over. */
  async command(act: (params: { path: { call: string } }) => Promise<Schemas["CallAnswer"]>): Promise<void> {
    const params = this.path;
    if (params === null) return;
    await this.attempts.openly(async () => {
      this.dispatch({ type: "read", call: await act(params), self: this.self });
    });
  }

  /** From now on nothing changes any more. */
  close(): void {
    this.#closed = true;
  }
}
