import { claimHandle } from "./captureHandle";
import { PrivateCovers } from "./covers";

/** Pages of one origin tell each other here which of them is being shared, so that it covers what is private. */
const NEWS = "raisehand-guide";
/** A page answers within a few frames; one that does not is frozen or gone. Milliseconds. */
const ANSWER_MS = 1_000;

type News =
  /** The page of this handle is shared from now on, or no more. */
  | { readonly shared: string; readonly on: boolean }
  /** The page of this handle shows nothing private any more. */
  | { readonly covered: string };

function openNews(): BroadcastChannel | null {
  return typeof BroadcastChannel === "function" ? new BroadcastChannel(NEWS) : null;
}

/** The side that shares: has the page that is shared cover itself. */
export class SharedTabs {
  readonly #news = openNews();
  #told: string | null = null;

  /** `handle`: of the page that is shared now; null: none of ours. Resolves when it shows nothing private. */
  async tell(handle: string | null): Promise<void> {
    if (this.#news === null || handle === this.#told) return;
    if (this.#told !== null) this.#post({ shared: this.#told, on: false });
    this.#told = handle;
    if (handle === null) return;
    const covered = this.#answer(handle);
    this.#post({ shared: handle, on: true });
    await covered;
  }

  close(): void {
    void this.tell(null);
    this.#news?.close();
  }

  #post(news: News): void {
    this.#news?.postMessage(news);
  }

  async #answer(handle: string): Promise<void> {
    const stop = new AbortController();
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, ANSWER_MS);
      const heard = ({ data }: MessageEvent<News>): void => {
        if (!("covered" in data) || data.covered !== handle) return;
        clearTimeout(late);
        resolve();
      };
      this.#news?.addEventListener("message", heard as EventListener, { signal: stop.signal });
    });
    stop.abort();
  }
}

/** The side that may be shared, each page with the help button: covers what is private while another page of this
 * origin shares this one. The returned function ends it. */
export function coverWhenShared(): () => void {
  const handle = claimHandle();
  const news = handle === null ? null : openNews();
  if (news === null) return () => undefined;
  const covers = new PrivateCovers();
  news.onmessage = ({ data }: MessageEvent<News>) => {
    if (!("shared" in data) || data.shared !== handle) return;
    if (!data.on) {
      covers.uncover();
      return;
    }
    covers.cover();
    // The frame after the next one is painted without it.
    requestAnimationFrame(() => requestAnimationFrame(() => news.postMessage({ covered: handle } satisfies News)));
  };
  return () => {
    news.close();
    covers.uncover();
  };
}
