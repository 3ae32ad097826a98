import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import type { HelpController } from "../shared/help/controller";
import type { Locale } from "../shared/i18n";
import type { Translate } from "../shared/i18n/student/translate";
import type { Store } from "../shared/store";

/** What every part of the panel may need. */
export interface Ambience {
  readonly t: Translate;
  readonly locale: Locale;
  readonly child: boolean;
  /** Cannot decide alone about recording. */
  readonly minor: boolean;
  readonly controller: HelpController;
  /** A whole page, not a window over somebody's class. */
  readonly page: boolean;
  /** A class goes on beside the help. */
  readonly inClass: boolean;
  /** When the lesson ends, where the page says so. */
  readonly lessonEndsAt: string | null;
  /** Opens the same page in a real browser, where we are in a web view; null: we are in one. */
  readonly openBrowser: (() => void) | null;
}

export const AmbienceContext = createContext<Ambience>({
  t: undefined as unknown as Translate,
  locale: "en",
  child: false,
  minor: true,
  controller: undefined as unknown as HelpController,
  page: false,
  inClass: false,
  lessonEndsAt: null,
  openBrowser: null,
});

export function useAmbience(): Ambience {
  return useContext(AmbienceContext);
}

/** The current value of a store; the component is drawn again when it changes. */
export function useStore<T>(store: Store<T>): T {
  const [, redraw] = useState(0);
  useEffect(() => {
    const draw = (): void => redraw((count) => count + 1);
    draw(); // It may have changed between drawing and subscribing.
    return store.subscribe(draw);
  }, [store]);
  return store.get();
}

/** Draws again each so many milliseconds, while `on`. */
export function useTick(milliseconds: number, on = true): void {
  const [, redraw] = useState(0);
  useEffect(() => {
    if (!on) return undefined;
    const timer = setInterval(() => redraw((count) => count + 1), milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds, on]);
}
