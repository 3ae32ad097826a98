import type { Locale } from "./i18n";

/** Shown where a figure is not known (yet). */
export const UNKNOWN = "–";

/** Bits per second as `1.2 Mbit/s`, `640 kbit/s` or `0 kbit/s`. */
export function formatBitrate(bitsPerSecond: number | null): string {
  if (bitsPerSecond === null) return UNKNOWN;
  const kilobits = bitsPerSecond / 1000;
  if (kilobits < 999.5) return `${Math.round(kilobits)} kbit/s`;
  return `${(kilobits / 1000).toFixed(1)} Mbit/s`;
}

/** A ratio 0..1 as a percentage; one digit below 10 %, none above. */
export function formatRatio(ratio: number | null): string {
  if (ratio === null) return UNKNOWN;
  const percent = ratio * 100;
  return `${percent < 9.95 ? percent.toFixed(1) : percent.toFixed(0)}%`;
}

/** Milliseconds without fraction. */
export function formatMilliseconds(milliseconds: number | null): string {
  return milliseconds === null ? UNKNOWN : `${Math.round(milliseconds)} ms`;
}

/** Picture size and rate as `1280×720 30 fps`; null when there is no picture. */
export function formatPicture(width: number | null, height: number | null, fps: number | null): string | null {
  if (width === null || height === null) return null;
  const size = `${width}×${height}`;
  return fps === null ? size : `${size} ${Math.round(fps)} fps`;
}

/** Seconds as `m:ss`, or `h:mm:ss` from one hour on. */
export function formatDuration(totalSeconds: number): string {
  const seconds = Math.max(0, Math.floor(totalSeconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = two(seconds % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** Clock time of a message, hours and minutes in the reader's habit. */
export function formatClock(atMs: number, locale: Locale): string {
  return new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hour12: false }).format(atMs);
}

/**
 * One or two characters that stand for a person: the last two of a Chinese name (the given name),
 * else the first letters of the first two words.
 */
export function initials(name: string): string {
  const trimmed = name.trim();
  if (trimmed === "") return "?";
  const letters = graphemes(trimmed);
  if (/^\p{Script=Han}/u.test(trimmed)) {
    const first = trimmed.split(/[\s((]/u)[0] ?? trimmed;
    return graphemes(first).slice(-2).join("");
  }
  const words = trimmed.split(/[\s._-]+/u).filter((word) => word !== "");
  if (words.length >= 2) {
    return words
      .slice(0, 2)
      .map((word) => graphemes(word)[0] ?? "")
      .join("")
      .toUpperCase();
  }
  return (letters[0] ?? "?").toUpperCase();
}

/** A stable number in 0..count-1 for a person's colour. */
export function colourIndex(identity: string, count: number): number {
  let hash = 0x811c9dc5; // FNV-1a, 32 bit
  for (let index = 0; index < identity.length; index++) {
    hash = Math.imul(hash ^ identity.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % count;
}

function graphemes(text: string): string[] {
  return Array.from(new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text), (part) => part.segment);
}
