import { readPlatformClaims } from "./claims";

/** Where a fresh token comes from: the host page's own function, or an address that answers with one. */
export type TokenSource = () => Promise<string>;

/** A token that ends sooner than this is asked for anew, in milliseconds. */
const EARLY_MS = 30_000;

/** The platform token, renewed before it ends and after the server has refused it. */
export class Credentials {
  #token: string;
  #asking: Promise<string> | null = null;

  constructor(
    token: string,
    private readonly source: TokenSource | null,
    private readonly now: () => number = Date.now,
  ) {
    this.#token = token;
  }

  /** The token as it is; empty when there was none yet. */
  get current(): string {
    return this.#token;
  }

  get renewable(): boolean {
    return this.source !== null;
  }

  replace(token: string): void {
    this.#token = token;
  }

  /** A token that still holds for a moment, as far as one can tell from here. */
  async fresh(): Promise<string> {
    const endsAtMs = readPlatformClaims(this.#token)?.expiresAtMs ?? null;
    const ends = this.#token === "" || (endsAtMs !== null && endsAtMs - EARLY_MS < this.now());
    return ends && this.source !== null ? this.renew() : this.#token;
  }

  /** Asks for another token; several at once ask once. Without a source the old one stays. */
  async renew(): Promise<string> {
    if (this.source === null) return this.#token;
    this.#asking ??= this.source().finally(() => {
      this.#asking = null;
    });
    const token = await this.#asking;
    if (token !== "") this.#token = token;
    return this.#token;
  }
}
