import type { KeyValueStorage } from "../shared/preferences";

export function browserStorage(): KeyValueStorage | null {
  try {
    return window.localStorage;
  } catch {
    return null; // Forbidden altogether, for instance in a private window.
  }
}
