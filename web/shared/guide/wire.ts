import { type Point, STEPS } from "./geometry";
import {
  COLOURS,
  type Mark,
  MARK_KINDS,
  POINTS_PER_MARK,
  type Shown,
  type SurfaceKey,
  surfaceOf,
  TEXT_CHARACTERS,
} from "./model";

/** The topic of our data packets. */
export const GUIDE_TOPIC = "raisehand.guide";
/** Bytes of one packet; LiveKit advises against reliable ones over 15 KiB. */
export const MESSAGE_BYTES = 14_000;
/** Marks of one packet. */
const MARKS_PER_MESSAGE = 64;
const VERSION = 1;
const ID = /^[A-Za-z0-9-]{1,32}$/;
const SURFACE_CHARACTERS = 160;

/** Marks belong to whoever sends them, so a message names no author: the server says who sent it. */
export type GuideMark = Omit<Mark, "author">;

export type GuideMessage =
  /** The laser pointer is here, or (null) put away. Lossy; `n` grows, so that late ones are known. */
  | { readonly t: "point"; readonly s: SurfaceKey; readonly n: number; readonly at: Point | null }
  /** These marks are new or changed. */
  | { readonly t: "marks"; readonly s: SurfaceKey; readonly marks: readonly GuideMark[] }
  /** The line goes on; it had `from` points before. */
  | { readonly t: "more"; readonly s: SurfaceKey; readonly id: string; readonly from: number; readonly points: readonly Point[] }
  /** The sender takes back marks of its own. */
  | { readonly t: "erase"; readonly s: SurfaceKey; readonly ids: readonly string[] }
  /** Away with everybody's marks. */
  | { readonly t: "clear"; readonly s: SurfaceKey }
  | { readonly t: "freeze"; readonly s: SurfaceKey; readonly on: boolean }
  /** Piece `n` (from 0) `of` so many of the picture that the sender holds still. */
  | { readonly t: "still"; readonly s: SurfaceKey; readonly n: number; readonly of: number; readonly piece: Uint8Array<ArrayBuffer> }
  /** Forget all that came from the sender: what it has follows. */
  | { readonly t: "reset" }
  /** The sender is new: whoever has drawn tells it. */
  | { readonly t: "hello" }
  /** From the owner of a surface: where the marks are seen, and how many private places are covered. */
  | { readonly t: "shown"; readonly s: SurfaceKey; readonly where: Shown; readonly covered: number };

export function encode(message: GuideMessage): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ v: VERSION, ...plain(message) }));
}

/** Splits what is too long for one packet. */
export function marksMessages(surface: SurfaceKey, marks: readonly GuideMark[]): GuideMessage[] {
  const messages: GuideMessage[] = [];
  let batch: GuideMark[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (batch.length > 0) messages.push({ t: "marks", s: surface, marks: batch });
    batch = [];
    bytes = 0;
  };
  for (const mark of marks) {
    const [first, ...rest] = inPieces(mark);
    const size = sizeOf(first);
    if (bytes + size > MESSAGE_BYTES - 400 || batch.length >= MARKS_PER_MESSAGE) flush();
    batch.push(first);
    bytes += size;
    if (rest.length === 0) continue;
    flush();
    let from = first.points.length;
    for (const piece of rest) {
      messages.push({ t: "more", s: surface, id: mark.id, from, points: piece.points });
      from += piece.points.length;
    }
  }
  flush();
  return messages;
}

/** Points of one packet: each takes at most 12 bytes. */
export const POINTS_PER_MESSAGE = 1_000;

/** Bytes of a still in one packet: a third more on the way. */
const STILL_PIECE_BYTES = 9_000;
const STILL_PIECES = 40;
/** Largest still that can be sent. */
export const STILL_BYTES = STILL_PIECE_BYTES * STILL_PIECES;

export function stillMessages(surface: SurfaceKey, still: Uint8Array<ArrayBuffer>): GuideMessage[] {
  const of = Math.ceil(still.byteLength / STILL_PIECE_BYTES);
  return Array.from({ length: of }, (_, n) => {
    const piece = still.slice(n * STILL_PIECE_BYTES, (n + 1) * STILL_PIECE_BYTES);
    return { t: "still", s: surface, n, of, piece };
  });
}

function inPieces(mark: GuideMark): [GuideMark, ...GuideMark[]] {
  const pieces: [GuideMark, ...GuideMark[]] = [{ ...mark, points: mark.points.slice(0, POINTS_PER_MESSAGE) }];
  for (let from = POINTS_PER_MESSAGE; from < mark.points.length; from += POINTS_PER_MESSAGE) {
    pieces.push({ ...mark, points: mark.points.slice(from, from + POINTS_PER_MESSAGE) });
  }
  return pieces;
}

function sizeOf(mark: GuideMark): number {
  return 80 + mark.points.length * 12 + mark.text.length * 6;
}

function plain(message: GuideMessage): object {
  switch (message.t) {
    case "point":
      return { ...message, at: message.at === null ? null : numbers([message.at]) };
    case "marks":
      return { ...message, marks: message.marks.map(plainMark) };
    case "more":
      return { ...message, points: numbers(message.points) };
    case "still":
      return { ...message, piece: btoa(String.fromCharCode(...message.piece)) };
    default:
      return message;
  }
}

function plainMark({ id, kind, colour, points, text }: GuideMark): object {
  return { id, kind, colour, points: numbers(points), ...(text === "" ? {} : { text }) };
}

function numbers(points: readonly Point[]): number[] {
  return points.flatMap(({ x, y }) => [Math.round(x * STEPS), Math.round(y * STEPS)]);
}

/** A message of another client; null for anything that is not exactly one, whoever sent it. */
export function parse(bytes: Uint8Array): GuideMessage | null {
  if (bytes.byteLength > MESSAGE_BYTES) return null;
  let found: unknown;
  try {
    found = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
  if (!isRecord(found) || found.v !== VERSION) return null;
  if (found.t === "hello" || found.t === "reset") return { t: found.t };
  const s = found.s;
  if (typeof s !== "string" || s.length > SURFACE_CHARACTERS || surfaceOf(s) === null) return null;
  switch (found.t) {
    case "point": {
      const at = found.at === null ? null : pointsOf(found.at, 1, 1)?.[0];
      return at === undefined || !isCount(found.n, Number.MAX_SAFE_INTEGER) ? null : { t: "point", s, n: found.n, at };
    }
    case "marks": {
      if (!Array.isArray(found.marks) || found.marks.length > MARKS_PER_MESSAGE) return null;
      const marks = found.marks.map(markOf);
      return marks.every((mark) => mark !== null) ? { t: "marks", s, marks } : null;
    }
    case "more": {
      const points = pointsOf(found.points, 1, POINTS_PER_MESSAGE);
      if (points === null || !isId(found.id) || !isCount(found.from, POINTS_PER_MARK)) return null;
      return { t: "more", s, id: found.id, from: found.from, points };
    }
    case "erase":
      return Array.isArray(found.ids) && found.ids.length <= MARKS_PER_MESSAGE * 4 && found.ids.every(isId)
        ? { t: "erase", s, ids: found.ids }
        : null;
    case "clear":
      return { t: "clear", s };
    case "freeze":
      return typeof found.on === "boolean" ? { t: "freeze", s, on: found.on } : null;
    case "still": {
      const { n, of } = found;
      const piece = bytesOf(found.piece);
      if (!isCount(of, STILL_PIECES) || !isCount(n, of - 1) || piece === null) return null;
      return { t: "still", s, n, of, piece };
    }
    case "shown": {
      const { where, covered } = found;
      if (where !== "page" && where !== "mirror" && where !== "none") return null;
      return isCount(covered, 10_000) ? { t: "shown", s, where, covered } : null;
    }
    default:
      return null;
  }
}

function markOf(found: unknown): GuideMark | null {
  if (!isRecord(found) || !isId(found.id) || !isCount(found.colour, COLOURS - 1)) return null;
  const kind = MARK_KINDS.find((each) => each === found.kind);
  if (kind === undefined) return null;
  const [least, most] = kind === "pen" ? [1, POINTS_PER_MESSAGE] : kind === "text" ? [1, 1] : [2, 2];
  const points = pointsOf(found.points, least, most);
  const text = found.text ?? "";
  if (points === null || typeof text !== "string" || text.length > TEXT_CHARACTERS) return null;
  if ((kind === "text") !== (text.trim() !== "")) return null;
  return { id: found.id, kind, colour: found.colour, points, text };
}

function pointsOf(found: unknown, least: number, most: number): Point[] | null {
  if (!Array.isArray(found) || found.length % 2 !== 0 || found.length < least * 2 || found.length > most * 2) return null;
  const points: Point[] = [];
  for (let at = 0; at < found.length; at += 2) {
    const x: unknown = found[at];
    const y: unknown = found[at + 1];
    if (!isCount(x, STEPS) || !isCount(y, STEPS)) return null;
    points.push({ x: x / STEPS, y: y / STEPS });
  }
  return points;
}

function bytesOf(found: unknown): Uint8Array<ArrayBuffer> | null {
  if (typeof found !== "string" || found === "") return null;
  try {
    return Uint8Array.from(atob(found), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

function isCount(value: unknown, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

function isId(value: unknown): value is string {
  return typeof value === "string" && ID.test(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
