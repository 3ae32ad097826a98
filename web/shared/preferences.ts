import { isLocale, type Locale } from "./i18n";

export type Theme = "system" | "light" | "dark";

/** What the page remembers on this device. Never a token. */
export interface Preferences {
  name: string;
  room: string;
  locale: Locale | null;
  theme: Theme;
  microphone: boolean;
  camera: boolean;
  statistics: boolean;
  devices: Partial<Record<MediaDeviceKind, string>>;
}

export const DEFAULT_PREFERENCES: Preferences = {
  name: "",
  room: "",
  locale: null,
  theme: "system",
  microphone: true,
  camera: true,
  statistics: true,
  devices: {},
};

const STORAGE_KEY = "raisehand.preferences";
/** Longest remembered text, characters; anything longer was not typed by a person. */
const MAXIMUM_TEXT = 256;

/** The two calls needed of `localStorage`, which may be missing or refuse (private windows). */
export type KeyValueStorage = Pick<Storage, "getItem" | "setItem">;

/** Reads what was remembered; damaged or foreign content counts as nothing remembered. */
export function loadPreferences(storage: KeyValueStorage | null): Preferences {
  let stored: unknown;
  try {
    stored = JSON.parse(storage?.getItem(STORAGE_KEY) ?? "null");
  } catch {
    return DEFAULT_PREFERENCES;
  }
  if (typeof stored !== "object" || stored === null) return DEFAULT_PREFERENCES;
  const from = stored as Record<string, unknown>;
  const text = (value: unknown): string => (typeof value === "string" ? value.slice(0, MAXIMUM_TEXT) : "");
  const flag = (value: unknown, fallback: boolean): boolean => (typeof value === "boolean" ? value : fallback);
  const devices: Preferences["devices"] = {};
  if (typeof from.devices === "object" && from.devices !== null) {
    for (const kind of ["audioinput", "audiooutput", "videoinput"] as const) {
      const id = text((from.devices as Record<string, unknown>)[kind]);
      if (id !== "") devices[kind] = id;
    }
  }
  return {
    name: text(from.name),
    room: text(from.room),
    locale: isLocale(from.locale) ? from.locale : null,
    theme: from.theme === "light" || from.theme === "dark" ? from.theme : "system",
    microphone: flag(from.microphone, true),
    camera: flag(from.camera, true),
    statistics: flag(from.statistics, true),
    devices,
  };
}

/** Remembers; a full or forbidden storage is not an error worth telling a person. */
export function savePreferences(storage: KeyValueStorage | null, preferences: Preferences): void {
  try {
    storage?.setItem(STORAGE_KEY, JSON.stringify(preferences));
  } catch {
    // Private windows refuse; the page works without memory.
  }
}
