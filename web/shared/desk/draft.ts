import type { KeyValueStorage } from "../preferences";

/** What an agent has written about a call and not sent yet; outlives a reload of the page. */
export interface Draft {
  readonly notes: string;
  readonly codes: readonly string[];
  readonly resolved: boolean | null;
  readonly diagnosis: string;
}

export const EMPTY_DRAFT: Draft = { notes: "", codes: [], resolved: null, diagnosis: "" };

const keyOf = (call: string): string => `raisehand.draft.${call}`;

export function loadDraft(storage: KeyValueStorage | null, call: string): Draft {
  let stored: unknown;
  try {
    stored = JSON.parse(storage?.getItem(keyOf(call)) ?? "null");
  } catch {
    return EMPTY_DRAFT;
  }
  if (typeof stored !== "object" || stored === null) return EMPTY_DRAFT;
  const { notes, codes, resolved, diagnosis } = stored as Record<string, unknown>;
  return {
    notes: typeof notes === "string" ? notes : "",
    codes: Array.isArray(codes) ? codes.filter((each): each is string => typeof each === "string") : [],
    resolved: typeof resolved === "boolean" ? resolved : null,
    diagnosis: typeof diagnosis === "string" ? diagnosis : "",
  };
}

export function saveDraft(storage: KeyValueStorage | null, call: string, draft: Draft): void {
  try {
    storage?.setItem(keyOf(call), JSON.stringify(draft));
  } catch {
    // Private windows refuse; the draft then lives as long as the page.
  }
}
