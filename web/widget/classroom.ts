import type { Classroom } from "../shared/help/classroom";

/** What the host page may offer; all of it optional. Functions are asked each time. */
export interface ClassHooks {
  /** The class's microphone track, lent to the call: a second capture would mute the first one on iOS. */
  microphone?: MediaStreamTrack | null | (() => MediaStreamTrack | null);
  /** Mutes the class's microphone (true), and gives it back as it was (false). Default: `enabled` of the lent track. */
  muteMicrophone?: (muted: boolean) => void;
  /** The class's media elements, to be turned down: a selector or the elements. */
  media?: string | Iterable<HTMLMediaElement> | (() => Iterable<HTMLMediaElement>);
  /** Turns the class down (true) and up again (false) where it plays through something else than media elements. */
  lowerSound?: (lowered: boolean) => void;
}

/** What is left of the class's volume while somebody talks to support. */
export const LOWERED = 0.15;

interface Turned {
  readonly element: HTMLMediaElement;
  readonly volume: number;
  readonly muted: boolean;
  /** What we set: where the page has changed it since, the page is right. */
  readonly volumeSet: number;
  readonly mutedSet: boolean;
}

/** Mutes and turns down the class, and puts everything back. */
export class HookedClassroom implements Classroom {
  #restore: (() => void)[] | null = null;

  constructor(private readonly hooks: () => ClassHooks) {}

  microphone(): MediaStreamTrack | null {
    const { microphone } = this.hooks();
    const track = typeof microphone === "function" ? safely(microphone) : microphone;
    return track?.readyState === "live" ? track : null;
  }

  enter(): void {
    if (this.#restore !== null) return;
    const hooks = this.hooks();
    const restore: (() => void)[] = [];
    this.#restore = restore;
    const track = this.microphone();
    if (hooks.muteMicrophone !== undefined) {
      const { muteMicrophone } = hooks;
      safely(() => muteMicrophone(true));
      restore.push(() => muteMicrophone(false));
    } else if (track !== null) {
      const before = track.enabled;
      track.enabled = false;
      restore.push(() => {
        track.enabled = before;
      });
    }
    if (hooks.lowerSound !== undefined) {
      const { lowerSound } = hooks;
      safely(() => lowerSound(true));
      restore.push(() => lowerSound(false));
    }
    const turned = elementsOf(hooks.media).map(turnDown);
    if (turned.length > 0) restore.push(() => turned.forEach(turnUp));
    window.addEventListener("pagehide", this.#leaving);
    window.addEventListener("pageshow", this.#returning);
  }

  leave(): boolean {
    window.removeEventListener("pagehide", this.#leaving);
    window.removeEventListener("pageshow", this.#returning);
    return this.#undo();
  }

  #undo(): boolean {
    const restore = this.#restore;
    this.#restore = null;
    if (restore === null) return false;
    for (const step of restore.reverse()) safely(step);
    return restore.length > 0;
  }

  /** The page goes away, perhaps to come back out of the browser's memory. */
  readonly #leaving = (): void => {
    this.#undo();
  };

  readonly #returning = (event: PageTransitionEvent): void => {
    if (event.persisted) this.enter();
  };
}

/** What the page gives us may fail; that must not cost the call. */
function safely<Result>(step: () => Result): Result | undefined {
  try {
    return step();
  } catch (error) {
    console.error("raisehand: a hook of the page failed", error);
    return undefined;
  }
}

function elementsOf(media: ClassHooks["media"]): HTMLMediaElement[] {
  if (media === undefined) return [];
  const found = typeof media === "string" ? safely(() => document.querySelectorAll(media)) : typeof media === "function" ? safely(media) : media;
  return [...((found ?? []) as Iterable<Element>)].filter((each): each is HTMLMediaElement => each instanceof HTMLMediaElement);
}

function turnDown(element: HTMLMediaElement): Turned {
  const { volume, muted } = element;
  element.volume = volume * LOWERED;
  // iOS lets no page set a volume: there the class is muted.
  if (volume > 0 && element.volume === volume) element.muted = true;
  return { element, volume, muted, volumeSet: element.volume, mutedSet: element.muted };
}

function turnUp({ element, volume, muted, volumeSet, mutedSet }: Turned): void {
  if (element.volume === volumeSet) element.volume = volume;
  if (element.muted === mutedSet) element.muted = muted;
}
