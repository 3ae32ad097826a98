import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import type { Locale } from "../shared/i18n";
import { type Translate, translator } from "../shared/i18n/playground";
import type { Preferences } from "../shared/preferences";
import { DEFAULT_PREFERENCES } from "../shared/preferences";
import type { Store } from "../shared/store";

/** What every component may need: language and remembered choices. */
export interface Ambience {
  readonly t: Translate;
  readonly locale: Locale;
  readonly preferences: Preferences;
  readonly remember: (change: Partial<Preferences>) => void;
}

export const AmbienceContext = createContext<Ambience>({
  t: translator("en"),
  locale: "en",
  preferences: DEFAULT_PREFERENCES,
  remember: () => undefined,
});

export function useAmbience(): Ambience {
  return useContext(AmbienceContext);
}

/** The current value of a store; the component is drawn again when it changes. */
export function useStore<T>(store: Store<T>): T;
export function useStore<T>(store: Store<T> | null): T | null;
export function useStore<T>(store: Store<T> | null): T | null {
  const [, redraw] = useState(0);
  useEffect(() => {
    if (store === null) return undefined;
    const draw = (): void => redraw((count) => count + 1);
    draw(); // It may have changed between drawing and subscribing.
    return store.subscribe(draw);
  }, [store]);
  return store?.get() ?? null;
}
