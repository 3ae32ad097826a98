import { createContext, useContext, useSyncExternalStore } from "react";
import type { ApiClient, Schemas } from "../shared/api/client";
import type { StaffDesk } from "../shared/desk/desk";
import type { Locale } from "../shared/i18n";
import { type StaffTranslate, translator } from "../shared/i18n/staff";
import type { Preferences } from "../shared/preferences";
import type { Store } from "../shared/store";
import type { Attention } from "./attention/attention";
import type { SettingsStore } from "./settings";

export type Me = Schemas["Me"];

/** Language and looks: there before anybody has signed in. */
export interface Ambience {
  readonly t: StaffTranslate;
  readonly locale: Locale;
  /** Whether the page is dark now, whoever chose it. */
  readonly dark: boolean;
  readonly preferences: Preferences;
  readonly remember: (change: Partial<Preferences>) => void;
}

/** What every page of somebody signed in may need. */
export interface ConsoleSession {
  readonly api: ApiClient;
  readonly me: Me;
  /** Staff state: events, offers, my calls, colleagues, queues. */
  readonly desk: StaffDesk;
  /** Kept in this browser for this person. */
  readonly settings: SettingsStore;
  readonly signOut: () => Promise<void>;
}

export const AmbienceContext = createContext<Ambience | null>(null);
export const SessionContext = createContext<ConsoleSession | null>(null);
/** Ring and notifications; there for whoever takes calls. */
export const AttentionContext = createContext<Attention | null>(null);

export function useAmbience(): Ambience {
  const ambience = useContext(AmbienceContext);
  if (ambience === null) throw new Error("outside of the console");
  return ambience;
}

/** Only below the sign-in. */
export function useSession(): ConsoleSession {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("nobody is signed in");
  return session;
}

export function useT(): StaffTranslate {
  return useAmbience().t;
}

/** The current value of a store; drawn again when it changes. */
export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(
    (changed) => store.subscribe(changed),
    () => store.get(),
  );
}

/** One part of a store's value; drawn again only when that part changes. The part must be stable. */
export function useSelected<T, Part>(store: Store<T>, select: (value: T) => Part): Part {
  return useSyncExternalStore(
    (changed) => store.subscribe(changed),
    () => select(store.get()),
  );
}

export function useAttentionState(): Attention | null {
  return useContext(AttentionContext);
}

export { translator };
