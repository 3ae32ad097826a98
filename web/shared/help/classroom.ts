/** What the class page lends and lets be changed while somebody talks to support. */
export interface Classroom {
  /** The class's microphone, to be sent to support instead of opening a second one; null: it has none now. */
  microphone(): MediaStreamTrack | null;
  /** Support is talked to: the class must not hear it, and is turned down. Safe to call again. */
  enter(): void;
  /** All as before. Safe to call again. Returns whether there was anything to restore. */
  leave(): boolean;
}

export const NO_CLASSROOM: Classroom = {
  microphone: () => null,
  enter: () => undefined,
  leave: () => false,
};
