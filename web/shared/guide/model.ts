import type { Point } from "./geometry";

/** A picture of somebody that can be drawn on. */
export interface Surface {
  readonly owner: string;
  readonly source: "screen" | "camera";
}

/** Names a surface: `screen:student-1`. */
export type SurfaceKey = string;

export type MarkKind = "pen" | "arrow" | "box" | "text";
export type Tool = "laser" | MarkKind;

export const MARK_KINDS: readonly MarkKind[] = ["pen", "arrow", "box", "text"];
/** Numbers into the renderer's palette. */
export const COLOURS = 6;

export interface Mark {
  /** Unique among the marks of its author. */
  readonly id: string;
  readonly author: string;
  readonly kind: MarkKind;
  readonly colour: number;
  /** Of a pen the line, of an arrow tail and tip, of a box two corners, of a text its upper left corner. */
  readonly points: readonly Point[];
  /** Of a text; to be shown as text only. */
  readonly text: string;
}

/** A laser pointer that shines now. */
export interface Pointer {
  readonly author: string;
  readonly point: Point;
  /** When it was last heard of, on our own clock. */
  readonly atMs: number;
}

/** Where the owner of a surface sees the marks: over the page itself, in a small mirrored picture, or nowhere. */
export type Shown = "page" | "mirror" | "none";

export interface Board {
  /** In the order of drawing: later ones lie on top. */
  readonly marks: readonly Mark[];
  /** Who holds the picture still; null: it moves. */
  readonly frozenBy: string | null;
  /** The picture that is held, encoded by whoever holds it; null: not there yet, each holds its own latest frame. */
  readonly still: Uint8Array<ArrayBuffer> | null;
  readonly shown: Shown | null;
  /** How many private places of the page are covered, as the owner's page says. */
  readonly covered: number;
}

export const EMPTY_BOARD: Board = { marks: [], frozenBy: null, still: null, shown: null, covered: 0 };

/** What is kept of one author on one surface; its oldest marks go first. */
export const MARKS_PER_AUTHOR = 200;
export const POINTS_PER_MARK = 2_000;
export const TEXT_CHARACTERS = 200;
/** Boards and authors that are kept at once: more is nonsense or malice. */
export const BOARDS = 16;
export const AUTHORS = 16;
/** A pointer that was not heard of for so long has gone, in milliseconds. */
export const POINTER_MS = 1_500;

export function keyOf(surface: Surface): SurfaceKey {
  return `${surface.source}:${surface.owner}`;
}

export function surfaceOf(key: SurfaceKey): Surface | null {
  const colon = key.indexOf(":");
  const source = key.slice(0, colon);
  const owner = key.slice(colon + 1);
  if (owner === "" || (source !== "screen" && source !== "camera")) return null;
  return { owner, source };
}

/** Puts a mark where it was, or on top. */
export function withMark(board: Board, mark: Mark): Board {
  const at = board.marks.findIndex((each) => each.id === mark.id && each.author === mark.author);
  if (at >= 0) return { ...board, marks: board.marks.with(at, mark) };
  const marks = [...board.marks, mark];
  if (marks.filter((each) => each.author === mark.author).length > MARKS_PER_AUTHOR) {
    marks.splice(
      marks.findIndex((each) => each.author === mark.author),
      1,
    );
  }
  return { ...board, marks };
}

/** Adds points to a pen's line. `from` says how many it had: what came twice is not added again, a gap is bridged. */
export function withPoints(board: Board, author: string, id: string, from: number, points: readonly Point[]): Board {
  const mark = board.marks.find((each) => each.id === id && each.author === author);
  if (mark?.kind !== "pen") return board;
  const fresh = points.slice(Math.max(0, mark.points.length - from));
  const room = POINTS_PER_MARK - mark.points.length;
  if (fresh.length === 0 || room <= 0) return board;
  return withMark(board, { ...mark, points: [...mark.points, ...fresh.slice(0, room)] });
}

export function withoutMarks(board: Board, gone: (mark: Mark) => boolean): Board {
  const marks = board.marks.filter((mark) => !gone(mark));
  return marks.length === board.marks.length ? board : { ...board, marks };
}

/** Held still by somebody, or (null) moving again. */
export function withFreeze(board: Board, frozenBy: string | null): Board {
  return { ...board, frozenBy, still: null };
}

export function isEmpty(board: Board): boolean {
  return board.marks.length === 0 && board.frozenBy === null && board.shown === null;
}
