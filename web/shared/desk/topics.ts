import { type ApiClient, ApiError, type Schemas, unwrap } from "../api/client";
import type { Locale } from "../i18n";
import { Store } from "../store";

type Words = Schemas["TopicAnswer"]["name"];

/** Names by topic. */
export type TopicNames = ReadonlyMap<string, Words>;

/** How long a change made by somebody else may go unnoticed, milliseconds. */
const EVERY_MS = 3 * 60_000;
/** A reading that failed is tried again after this pause, milliseconds. */
const AGAIN_MS = 5_000;

/** What the school calls its topics, as its administrators have written it. */
export class Topics {
  readonly names = new Store<TopicNames>(new Map());
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(private readonly api: ApiClient) {}

  /** Reads the names now and from time to time, until closed. */
  async start(): Promise<void> {
    let pauseMs = EVERY_MS;
    try {
      await this.read();
    } catch (error) {
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return;
      pauseMs = AGAIN_MS;
    }
    if (!this.#ended) this.#timer = setTimeout(() => void this.start(), pauseMs);
  }

  /** Reads the names anew, such as after changing them. Throws ApiError. */
  async read(): Promise<void> {
    const { items } = await unwrap(this.api.GET("/v1/topics"));
    if (!this.#ended) this.names.set(new Map(items.map((topic) => [topic.id, topic.name])));
  }

  close(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }
}

/**
 * A topic in words: as the school calls it in this language, else as the page's catalogue does, else as the school
 * calls it in the other language. A topic that nobody knows any more stands as its id.
 *
 * @param catalogue - the page's own word for this topic; null: none
 */
export function topicName(names: TopicNames, topic: string, locale: Locale, catalogue: string | null): string {
  const named = names.get(topic);
  const other = locale === "en" ? "zh-CN" : "en";
  return [named?.[locale], catalogue, named?.[other]].find((each) => each != null && each !== "") ?? topic;
}
