import { ApiError, type Schemas } from "../api/client";
import { Store } from "../store";
import type { HelpCore } from "./core";
import { BUILT_IN_TOPICS, type Topic } from "./topics";

/** The version of the list that comes with the server: nobody has changed it. */
const UNCHANGED = 0;

/** What can be asked about: as the administrators have it; until that is known, as the server comes. */
export class TopicList {
  readonly topics = new Store<readonly Topic[]>(BUILT_IN_TOPICS);

  constructor(private readonly core: HelpCore) {}

  /** Whether a topic is in the list, or in the one that comes with the server. */
  knows(id: string): boolean {
    return [...this.topics.get(), ...BUILT_IN_TOPICS].some((topic) => topic.id === id);
  }

  /** Reads the list anew. Where that fails, the list stays as it is: help can be asked for without it. */
  async read(): Promise<void> {
    try {
      this.topics.set(topicsIn(await this.core.requests.send((api) => api.GET("/v1/topics"))));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }
}

function topicsIn({ items, version }: Schemas["TopicsAnswer"]): readonly Topic[] {
  if (version === UNCHANGED) return BUILT_IN_TOPICS;
  return items.map(({ id, choice, name }) => ({ id, choice, words: name }));
}
