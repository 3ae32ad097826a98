/** One ring: two soft rising notes, twice; seconds. */
const NOTES = [
  { at: 0, hz: 659.25, lasts: 0.32 },
  { at: 0.18, hz: 880, lasts: 0.5 },
  { at: 0.9, hz: 659.25, lasts: 0.32 },
  { at: 1.08, hz: 880, lasts: 0.5 },
] as const;
/** From ring to ring, milliseconds. */
const EVERY_MS = 2600;
const LOUDNESS = 0.16;
/** A bell's overtones: multiple of the note, share of its loudness. */
const OVERTONES = [
  [1, 1],
  [2, 0.28],
  [3.01, 0.12],
] as const;

/** The telephone bell, made of tones: no file to load. */
export class Ring {
  #context: AudioContext | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #wanted = false;

  /** Whether the browser lets it sound; it does not before the first click. */
  get audible(): boolean {
    return this.#context?.state === "running";
  }

  /** Inside a click: from then on it may sound. */
  async wake(): Promise<void> {
    try {
      this.#context ??= new AudioContext();
      if (this.#context.state === "suspended") await this.#context.resume();
    } catch {
      return; // No sound on this machine; notification and card remain.
    }
    if (this.#wanted && this.#timer === undefined) this.#begin();
  }

  start(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    void this.wake();
  }

  stop(): void {
    this.#wanted = false;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  once(): void {
    void this.wake().then(() => this.#play());
  }

  close(): void {
    this.stop();
    void this.#context?.close();
    this.#context = null;
  }

  #begin(): void {
    if (!this.audible) return;
    this.#play();
    this.#timer = setInterval(() => this.#play(), EVERY_MS);
  }

  #play(): void {
    const context = this.#context;
    if (context?.state !== "running") return;
    for (const note of NOTES) {
      for (const [multiple, share] of OVERTONES) {
        const begin = context.currentTime + 0.02 + note.at;
        const tone = context.createOscillator();
        const gain = context.createGain();
        tone.frequency.value = note.hz * multiple;
        gain.gain.setValueAtTime(0, begin);
        gain.gain.linearRampToValueAtTime(LOUDNESS * share, begin + 0.012);
        gain.gain.exponentialRampToValueAtTime(0.0006, begin + note.lasts / multiple);
        tone.connect(gain).connect(context.destination);
        tone.start(begin);
        tone.stop(begin + note.lasts);
      }
    }
  }
}
