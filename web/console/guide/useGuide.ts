import type { Room } from "livekit-client";
import { useEffect, useState } from "react";
import { Guide, guideChannel } from "../../shared/guide";

/** Own marks outlive a reload of the page, until the tab is closed. */
function memoryOf(call: string): { load(): string | null; save(text: string): void } {
  const key = `raisehand.guide.${call}`;
  return {
    load: () => sessionStorage.getItem(key),
    save: (text) => {
      try {
        sessionStorage.setItem(key, text);
      } catch {
        // No room left: after a reload the marks are gone, which is no harm.
      }
    },
  };
}

/** The pointing and drawing of one call, for as long as its session lasts. */
export function useGuide(session: { readonly room: Room } | null, call: string): Guide | null {
  const [guide, setGuide] = useState<Guide | null>(null);
  useEffect(() => {
    if (session === null) return undefined;
    const made = new Guide(guideChannel(session.room), { draws: true, memory: memoryOf(call) });
    setGuide(made);
    return () => {
      made.close();
      setGuide(null);
    };
  }, [session, call]);
  return guide;
}
