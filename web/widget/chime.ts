/** Notes in hertz: somebody is there; something was written. */
const NOTES = { up: [523.25, 659.25, 783.99], soft: [659.25] } as const;
const NOTE_S = 0.16;
const LOUDNESS = 0.12;

/** A short sound and, on phones, a buzz. Browsers that refuse stay silent: it is told on the screen as well. */
export function chime(kind: keyof typeof NOTES): void {
  try {
    const device = navigator as { vibrate?: (pattern: number[]) => boolean; userActivation?: { hasBeenActive: boolean } };
    // Before the first tap browsers refuse, and complain.
    if (device.userActivation?.hasBeenActive ?? true) device.vibrate?.(kind === "up" ? [120, 60, 120] : [60]);
    const context = new AudioContext();
    if (context.state === "suspended") {
      void context.close();
      return;
    }
    NOTES[kind].forEach((hertz, index) => {
      const from = context.currentTime + index * NOTE_S;
      const gain = context.createGain();
      gain.gain.setValueAtTime(0, from);
      gain.gain.linearRampToValueAtTime(LOUDNESS, from + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.001, from + NOTE_S * 1.8);
      const oscillator = context.createOscillator();
      oscillator.frequency.value = hertz;
      oscillator.connect(gain).connect(context.destination);
      oscillator.start(from);
      oscillator.stop(from + NOTE_S * 2);
    });
    setTimeout(() => void context.close(), 1500);
  } catch {
    // No sound here.
  }
}
