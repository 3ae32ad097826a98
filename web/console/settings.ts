import type { KeyValueStorage } from "../shared/preferences";
import { Store } from "../shared/store";

/** What an agent keeps in this browser: the ring, and sentences of one's own. */
export interface AgentSettings {
  readonly ring: boolean;
  readonly replies: readonly string[];
}

export const DEFAULT_SETTINGS: AgentSettings = { ring: true, replies: [] };
/** More would be no help in finding one. */
const MAXIMUM_REPLIES = 60;
export const MAXIMUM_REPLY_CHARACTERS = 1000;

const keyOf = (agent: string): string => `raisehand.console.${agent}`;

/** Reads one agent's settings; damaged or foreign content counts as nothing. */
export function loadSettings(storage: KeyValueStorage | null, agent: string): AgentSettings {
  let stored: unknown;
  try {
    stored = JSON.parse(storage?.getItem(keyOf(agent)) ?? "null");
  } catch {
    return DEFAULT_SETTINGS;
  }
  if (typeof stored !== "object" || stored === null) return DEFAULT_SETTINGS;
  const { ring, replies } = stored as Record<string, unknown>;
  return {
    ring: typeof ring === "boolean" ? ring : true,
    replies: Array.isArray(replies)
      ? replies
          .filter((each): each is string => typeof each === "string" && each.trim() !== "")
          .map((each) => each.slice(0, MAXIMUM_REPLY_CHARACTERS))
          .slice(0, MAXIMUM_REPLIES)
      : [],
  };
}

/** One agent's settings, kept in the browser as they change. */
export class SettingsStore extends Store<AgentSettings> {
  constructor(
    private readonly storage: KeyValueStorage | null,
    private readonly agent: string,
  ) {
    super(loadSettings(storage, agent));
  }

  change(change: Partial<AgentSettings>): void {
    this.set({ ...this.get(), ...change });
    try {
      this.storage?.setItem(keyOf(this.agent), JSON.stringify(this.get()));
    } catch {
      // Private windows refuse; the page works without memory.
    }
  }

  addReply(text: string): void {
    const reply = text.trim().slice(0, MAXIMUM_REPLY_CHARACTERS);
    if (reply === "") return;
    this.change({ replies: [reply, ...this.get().replies.filter((each) => each !== reply)].slice(0, MAXIMUM_REPLIES) });
  }

  removeReply(text: string): void {
    this.change({ replies: this.get().replies.filter((each) => each !== text) });
  }
}
