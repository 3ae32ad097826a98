/** What survives a reload of the page: which call, and what was chosen. Never a token. */
export interface Remembered {
  readonly self: string;
  readonly call: string | null;
  readonly musicMuted: boolean | null;
  readonly consentRests: boolean;
  readonly microphoneSkipped: boolean;
  /** The panel is shown, small or large. */
  readonly view: "open" | "small" | "closed";
  readonly answers: Readonly<Record<string, string>>;
}

/** The three calls needed of a `Storage`, which may be missing or refuse. */
export type Memory = Pick<Storage, "getItem" | "setItem" | "removeItem">;

const KEY = "raisehand.help";

export function recall(memory: Memory | null, self: string): Remembered {
  const nothing: Remembered = {
    self,
    call: null,
    musicMuted: null,
    consentRests: false,
    microphoneSkipped: false,
    view: "closed",
    answers: {},
  };
  let stored: unknown;
  try {
    stored = JSON.parse(memory?.getItem(KEY) ?? "null");
  } catch {
    return nothing;
  }
  if (typeof stored !== "object" || stored === null) return nothing;
  const from = stored as Record<string, unknown>;
  if (from.self !== self) return nothing; // Somebody else used this device.
  const answers: Record<string, string> = {};
  if (typeof from.answers === "object" && from.answers !== null) {
    for (const [question, answer] of Object.entries(from.answers)) if (typeof answer === "string") answers[question] = answer;
  }
  return {
    self,
    call: typeof from.call === "string" ? from.call : null,
    musicMuted: typeof from.musicMuted === "boolean" ? from.musicMuted : null,
    consentRests: from.consentRests === true,
    microphoneSkipped: from.microphoneSkipped === true,
    view: from.view === "open" || from.view === "small" ? from.view : "closed",
    answers,
  };
}

export function remember(memory: Memory | null, what: Remembered): void {
  try {
    memory?.setItem(KEY, JSON.stringify(what));
  } catch {
    // Full or forbidden: the open call is still found through the server.
  }
}

/** What is remembered of the person who asks, as it stands now. */
export class Kept {
  #now: Remembered = recall(null, "");

  constructor(private readonly memory: Memory | null) {}

  get now(): Remembered {
    return this.#now;
  }

  /** Takes over what an earlier page left of this person. */
  recall(self: string): Remembered {
    this.#now = recall(this.memory, self);
    return this.#now;
  }

  change(change: Partial<Remembered>): void {
    this.#now = { ...this.#now, ...change };
    remember(this.memory, this.#now);
  }
}

/** Whether anything of a call is remembered, for whomever. */
export function remembersCall(memory: Memory | null): boolean {
  try {
    const stored = JSON.parse(memory?.getItem(KEY) ?? "null") as { call?: unknown; view?: unknown } | null;
    return typeof stored?.call === "string";
  } catch {
    return false;
  }
}
