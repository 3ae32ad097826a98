import { formatBitrate, formatMilliseconds, formatRatio } from "../format";
import type { Call, Student } from "./model";

const MINUTE_MS = 60_000;
/** Names under which pages send what was tried. */
const TRIED = ["tried", "tried_steps", "steps"] as const;

/** Whole minutes until the lesson ends; null: not known, 0: it is over. */
export function lessonMinutesLeft(call: Pick<Call, "context">, nowMs: number): number | null {
  const ends = call.context?.lesson_ends_at ?? null;
  return ends === null ? null : minutesUntil(ends, nowMs);
}

export function minutesUntil(at: string, nowMs: number): number {
  return Math.max(0, Math.ceil((Date.parse(at) - nowMs) / MINUTE_MS));
}

/** What the student has tried, as the answers say. */
export function triedSteps(call: Pick<Call, "context">): readonly string[] {
  const answers = call.context?.answers ?? {};
  for (const key of TRIED) {
    const value = answers[key];
    if (typeof value === "string" && value.trim() !== "") return [value];
    if (Array.isArray(value)) return value.map(plain).filter((each) => each !== "");
  }
  return [];
}

/** Names and values of a free-form object, in words that can be shown: nested ones flattened once. */
export function factsOf(
  record: Readonly<Record<string, unknown>> | null | undefined,
  leaveOut: readonly string[] = [],
  textOf: (key: string, value: unknown) => string = (_, value) => plain(value),
): readonly (readonly [string, string])[] {
  const found: [string, string][] = [];
  for (const [key, value] of Object.entries(record ?? {})) {
    if (leaveOut.includes(key)) continue;
    if (isRecord(value)) {
      for (const [inner, each] of Object.entries(value)) found.push([`${key}.${inner}`, textOf(inner, each)]);
    } else found.push([key, textOf(key, value)]);
  }
  return found.filter(([, value]) => value !== "");
}

/** What a class client measured, each figure with the unit that its name promises. */
export function figuresOf(stats: Readonly<Record<string, unknown>> | null | undefined): readonly (readonly [string, string])[] {
  return factsOf(stats, [], figureText);
}

function figureText(key: string, value: unknown): string {
  if (typeof value !== "number") return plain(value);
  if (key === "loss" && value >= 0 && value <= 1) return formatRatio(value);
  if (key.endsWith("_ms")) return formatMilliseconds(value);
  if (key.endsWith("_bps")) return formatBitrate(value);
  return key.endsWith("_s") ? `${plain(value)} s` : plain(value);
}

/** A value of unknown make as one line of text. */
export function plain(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : String(Math.round(value * 1000) / 1000);
  if (typeof value === "boolean") return String(value);
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(plain).filter((each) => each !== "").join(" · ");
  return JSON.stringify(value);
}

/** What makes a student stand out: shown as a tag; empty for the ordinary level. */
export function levelOf(student: Pick<Student, "level">): string {
  return student.level === "" || student.level === "normal" || student.level === "basic" ? "" : student.level;
}

/** The class that the request comes from, else the one that the platform knows. */
export function classOf(call: Pick<Call, "context" | "student">): string {
  const named = call.context?.class_id ?? "";
  return named === "" ? plain(call.student?.extra?.class_id) : named;
}

/** Whether a child is spoken to: the age is known and below that of adults' wording. */
export function isChild(student: Student): boolean {
  return student.age !== null && student.age < 14;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
