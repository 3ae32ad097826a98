import { Store } from "../store";
import { type Point, quantised } from "./geometry";
import {
  AUTHORS,
  type Board,
  BOARDS,
  EMPTY_BOARD,
  isEmpty,
  keyOf,
  type Mark,
  type MarkKind,
  type Pointer,
  POINTER_MS,
  POINTS_PER_MARK,
  type Shown,
  type Surface,
  type SurfaceKey,
  surfaceOf,
  TEXT_CHARACTERS,
  withFreeze,
  withMark,
  withoutMarks,
  withPoints,
} from "./model";
import { encode, type GuideMark, type GuideMessage, marksMessages, parse, STILL_BYTES, stillMessages } from "./wire";

/** Who sent a packet, as the server says. */
export interface Sender {
  readonly identity: string;
  /** An agent or a supervisor of this call. */
  readonly mayDraw: boolean;
}

/** How guides of a call reach each other; `guideChannel` makes one of a LiveKit room. */
export interface GuideChannel {
  /** Our own identity; empty until connected. */
  readonly identity: string;
  /** To everybody, or to those named. Reliable packets of one sender arrive in order. */
  send(packet: Uint8Array<ArrayBuffer>, reliable: boolean, to?: readonly string[]): void;
  /** Whether somebody shares this picture now. */
  has(surface: Surface): boolean;
  /** Tells what happens until the returned function is called. */
  listen(listener: GuideListener): () => void;
}

export interface GuideListener {
  packet(packet: Uint8Array, sender: Sender): void;
  /** Connected, or connected anew after being away so long that nobody knows what we sent. */
  opened(): void;
  left(identity: string): void;
  /** A picture is shared no more. */
  ended(surface: Surface): void;
}

export interface GuideOptions {
  /** Whether we draw ourselves; a student's side only watches. */
  readonly draws: boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  /** Where an agent's marks outlive a reload of the page. */
  readonly memory?: { load(): string | null; save(text: string): void };
}

/** A line being drawn. */
export interface Stroke {
  extend(point: Point): void;
  /** The pen is lifted: all of it is sent. */
  end(): void;
  /** Away with it. */
  cancel(): void;
}

/** Pauses between packets of a moving pointer and a growing line, in milliseconds. */
const POINTER_PAUSE_MS = 16;
const STROKE_PAUSE_MS = 33;
/** A pointer that rests says so, so that it is not taken for gone, in milliseconds. */
const POINTER_REST_MS = 500;
/** A newcomer is answered so often at most, in milliseconds. */
const HELLO_MS = 1_000;
/** Packets that one sender may send a second, and at once. */
const PACKETS_PER_S = 200;
const PACKETS_AT_ONCE = 400;
/** Neighbouring points closer than this (of the picture's side) are one. */
const NEAR = 0.0012;

interface Seen {
  tokens: number;
  filledMs: number;
  pointerNumber: number;
  helloMs: number;
}

/** One participant's part in pointing and drawing: what all have drawn, and, if it draws, what it draws itself.
 *
 * Each author owns its marks: it sends changes reliably and in order, and everything to whoever says hello. So no two
 * senders' packets depend on their order, but for `clear`, after which each author tells anew what it still has. */
export class Guide {
  /** What is drawn, by surface. */
  readonly boards = new Store<ReadonlyMap<SurfaceKey, Board>>(new Map());
  /** Laser pointers, by surface: apart, because they change with every frame. */
  readonly pointers = new Store<ReadonlyMap<SurfaceKey, readonly Pointer[]>>(new Map());
  readonly #now: () => number;
  readonly #seen = new Map<string, Seen>();
  readonly #stop: () => void;
  readonly #prefix = Math.random().toString(36).slice(2, 8);
  #count = 0;
  #pointerCount = 0;
  #pointer: { surface: SurfaceKey; point: Point } | null = null;
  #pointerSentMs = Number.NEGATIVE_INFINITY;
  #pointerTimer: ReturnType<typeof setTimeout> | undefined;
  #sweepTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #strokes = new Set<LiveStroke>();
  /** Stills of which more is to come, by author. */
  readonly #pieces = new Map<string, Uint8Array<ArrayBuffer>[]>();
  /** Own marks in the order of drawing, for undo. */
  #drawn: { surface: SurfaceKey; id: string }[] = [];
  /** What we, as the owner of a surface, told of it. */
  readonly #told = new Map<SurfaceKey, { where: Shown; covered: number }>();
  #remembered = false;

  constructor(
    private readonly channel: GuideChannel,
    private readonly options: GuideOptions,
  ) {
    this.#now = options.now ?? (() => performance.now());
    this.#stop = channel.listen({
      packet: (packet, sender) => this.#receive(packet, sender),
      opened: () => this.#opened(),
      left: (identity) => this.#forgetAuthor(identity, true),
      ended: (surface) => this.#endSurface(keyOf(surface)),
    });
    if (channel.identity !== "") this.#opened();
  }

  board(surface: Surface): Board {
    return this.boards.get().get(keyOf(surface)) ?? EMPTY_BOARD;
  }

  /** Moves the laser pointer; null puts it away. */
  point(surface: Surface, point: Point | null): void {
    if (!this.options.draws) return;
    const key = keyOf(surface);
    if (point === null) {
      if (this.#pointer === null) return;
      this.#pointer = null;
      this.#sendPointer(key, null);
      this.#setPointer(key, this.channel.identity, null);
      return;
    }
    this.#pointer = { surface: key, point: quantised(point) };
    this.#setPointer(key, this.channel.identity, this.#pointer.point);
    const dueMs = this.#pointerSentMs + POINTER_PAUSE_MS - this.#now();
    clearTimeout(this.#pointerTimer);
    if (dueMs <= 0) this.#sendPointer(key, this.#pointer.point);
    else this.#pointerTimer = setTimeout(() => this.#resendPointer(), dueMs);
  }

  /** Begins a mark that grows: a pen's line, an arrow or a box. */
  begin(surface: Surface, kind: Exclude<MarkKind, "text">, colour: number, at: Point): Stroke | null {
    if (!this.options.draws) return null;
    const start = quantised(at);
    const points = kind === "pen" ? [start] : [start, start];
    const stroke = new LiveStroke(this, keyOf(surface), { id: this.#newId(), kind, colour, points, text: "" });
    this.#strokes.add(stroke);
    return stroke;
  }

  /** Writes a text; too long ones are cut. */
  write(surface: Surface, colour: number, at: Point, text: string): void {
    const shown = text.trim().slice(0, TEXT_CHARACTERS);
    if (!this.options.draws || shown === "") return;
    const mark: GuideMark = { id: this.#newId(), kind: "text", colour, points: [quantised(at)], text: shown };
    const key = keyOf(surface);
    this.keep(key, mark);
    this.send({ t: "marks", s: key, marks: [mark] });
  }

  /** Takes back the own mark drawn last on this surface; whether there was one. */
  undo(surface: Surface): boolean {
    const key = keyOf(surface);
    const at = this.#drawn.findLastIndex((each) => each.surface === key);
    const last = this.#drawn[at];
    if (last === undefined) return false;
    this.#drawn.splice(at, 1);
    this.#change(key, (board) => withoutMarks(board, (mark) => mark.id === last.id && this.#isOwn(mark)));
    this.send({ t: "erase", s: key, ids: [last.id] });
    return true;
  }

  canUndo(surface: Surface): boolean {
    const key = keyOf(surface);
    return this.#drawn.some((each) => each.surface === key);
  }

  /** Wipes the surface, others' marks too. */
  clear(surface: Surface): void {
    if (!this.options.draws) return;
    const key = keyOf(surface);
    this.#drawn = this.#drawn.filter((each) => each.surface !== key);
    this.#change(key, (board) => withoutMarks(board, () => true));
    this.send({ t: "clear", s: key });
  }

  /** Holds the picture still for everybody, or lets it go on. */
  freeze(surface: Surface, on: boolean): void {
    if (!this.options.draws) return;
    const key = keyOf(surface);
    this.#change(key, (board) => withFreeze(board, on ? this.channel.identity : null));
    this.send({ t: "freeze", s: key, on });
  }

  /** While we hold a picture: what we see of it, for all to see this very frame. Pictures over `STILL_BYTES` are not sent. */
  showStill(surface: Surface, still: Uint8Array<ArrayBuffer>): void {
    const key = keyOf(surface);
    if (this.board(surface).frozenBy !== this.channel.identity || still.byteLength > STILL_BYTES) return;
    this.#change(key, (board) => ({ ...board, still }));
    for (const message of stillMessages(key, still)) this.send(message);
  }

  /** As the owner: tells the agents where we see their marks. The owner may also end a freeze for itself (`thaw`). */
  tellShown(surface: Surface, where: Shown, covered: number): void {
    const key = keyOf(surface);
    const before = this.#told.get(key);
    if (before?.where === where && before.covered === covered) return;
    this.#told.set(key, { where, covered });
    this.#change(key, (board) => ({ ...board, shown: where, covered }));
    this.send({ t: "shown", s: key, where, covered });
  }

  /** As the owner: lets the own picture go on although an agent holds it; the agent sees that. */
  thaw(surface: Surface): void {
    const key = keyOf(surface);
    this.#change(key, (board) => withFreeze(board, null));
    this.send({ t: "freeze", s: key, on: false });
  }

  close(): void {
    this.#stop();
    clearTimeout(this.#pointerTimer);
    clearTimeout(this.#sweepTimer);
    for (const stroke of this.#strokes) stroke.stop();
    this.#strokes.clear();
  }

  // For strokes ------------------------------------------------------------------------------------------------------

  /** Keeps a mark of our own. */
  keep(key: SurfaceKey, mark: GuideMark): void {
    if (!this.#drawn.some((each) => each.id === mark.id)) this.#drawn.push({ surface: key, id: mark.id });
    this.#change(key, (board) => withMark(board, { ...mark, author: this.channel.identity }));
  }

  drop(key: SurfaceKey, id: string): void {
    this.#drawn = this.#drawn.filter((each) => each.id !== id);
    this.#change(key, (board) => withoutMarks(board, (mark) => mark.id === id && this.#isOwn(mark)));
    this.send({ t: "erase", s: key, ids: [id] });
  }

  finished(stroke: LiveStroke): void {
    this.#strokes.delete(stroke);
  }

  send(message: GuideMessage, to?: readonly string[]): void {
    this.channel.send(encode(message), message.t !== "point", to);
  }

  // From the others --------------------------------------------------------------------------------------------------

  #receive(packet: Uint8Array, sender: Sender): void {
    const seen = this.#admit(sender.identity);
    if (seen === null) return;
    const message = parse(packet);
    if (message === null) return;
    const author = sender.identity;
    if (message.t === "hello") {
      this.#answer(author, seen);
      return;
    }
    if (message.t === "shown" || (message.t === "freeze" && !message.on)) {
      const owns = surfaceOf(message.s)?.owner === author;
      if (!owns && !(sender.mayDraw && message.t === "freeze")) return;
      this.#change(message.s, (board) =>
        message.t === "shown"
          ? { ...board, shown: message.where, covered: message.covered }
          : withFreeze(board, null),
      );
      return;
    }
    if (!sender.mayDraw) return; // Only agents of the call draw: the server vouches for the role.
    switch (message.t) {
      case "point":
        if (message.n <= seen.pointerNumber) return;
        seen.pointerNumber = message.n;
        this.#setPointer(message.s, author, message.at);
        return;
      case "marks":
        this.#change(message.s, (board) =>
          message.marks.reduce((changed, mark) => withMark(changed, { ...mark, author }), board),
        );
        return;
      case "more":
        this.#change(message.s, (board) => withPoints(board, author, message.id, message.from, message.points));
        return;
      case "erase":
        this.#change(message.s, (board) =>
          withoutMarks(board, (mark) => mark.author === author && message.ids.includes(mark.id)),
        );
        return;
      case "clear":
        this.#cleared(message.s);
        return;
      case "freeze":
        this.#change(message.s, (board) => withFreeze(board, author));
        return;
      case "still":
        this.#putTogether(author, message);
        return;
      case "reset":
        this.#forgetAuthor(author, false);
    }
  }

  /** Another agent wiped the surface. A line that we draw just now goes on, and so is told to all again. */
  #cleared(key: SurfaceKey): void {
    this.#drawn = this.#drawn.filter((each) => each.surface !== key);
    this.#change(key, (board) => withoutMarks(board, () => true));
    for (const stroke of this.#strokes) if (stroke.key === key) stroke.again();
  }

  /** The next piece of a still: reliable packets keep their order, so one that does not fit belongs to no whole. */
  #putTogether(author: string, { s, n, of, piece }: GuideMessage & { t: "still" }): void {
    const pieces = n === 0 ? [] : this.#pieces.get(author);
    if (pieces?.length !== n) return;
    pieces.push(piece);
    this.#pieces.set(author, pieces);
    if (pieces.length < of) return;
    this.#pieces.delete(author);
    const still = joined(pieces);
    this.#change(s, (board) => (board.frozenBy === author ? { ...board, still } : board));
  }

  /** Whether this sender may be heard now: the n-th of too many, or too many at once, may not. */
  #admit(identity: string): Seen | null {
    const nowMs = this.#now();
    let seen = this.#seen.get(identity);
    if (seen === undefined) {
      if (this.#seen.size >= AUTHORS) return null;
      seen = { tokens: PACKETS_AT_ONCE, filledMs: nowMs, pointerNumber: -1, helloMs: Number.NEGATIVE_INFINITY };
      this.#seen.set(identity, seen);
    }
    seen.tokens = Math.min(PACKETS_AT_ONCE, seen.tokens + ((nowMs - seen.filledMs) * PACKETS_PER_S) / 1000);
    seen.filledMs = nowMs;
    if (seen.tokens < 1) return null;
    seen.tokens -= 1;
    return seen;
  }

  /** Tells a newcomer what we drew and hold. */
  #answer(identity: string, seen: Seen): void {
    const nowMs = this.#now();
    if (nowMs - seen.helloMs < HELLO_MS) return;
    seen.helloMs = nowMs;
    seen.pointerNumber = -1; // A newcomer counts from the beginning.
    this.#tell([identity]);
  }

  #tell(to?: readonly string[]): void {
    for (const [key, { where, covered }] of this.#told) this.send({ t: "shown", s: key, where, covered }, to);
    if (!this.options.draws) return;
    this.send({ t: "reset" }, to);
    for (const [key, board] of this.boards.get()) {
      const own = board.marks.filter((mark) => this.#isOwn(mark));
      for (const message of marksMessages(key, own)) this.send(message, to);
      if (board.frozenBy !== this.channel.identity) continue;
      this.send({ t: "freeze", s: key, on: true }, to);
      for (const message of board.still === null ? [] : stillMessages(key, board.still)) this.send(message, to);
    }
  }

  #opened(): void {
    this.#seen.clear();
    if (!this.#remembered) this.#recall();
    this.#remembered = true;
    this.send({ t: "hello" });
    this.#tell();
  }

  // Changes ----------------------------------------------------------------------------------------------------------

  #change(key: SurfaceKey, change: (board: Board) => Board): void {
    const boards = this.boards.get();
    const before = boards.get(key);
    if (before === undefined && boards.size >= BOARDS) return;
    const after = change(before ?? EMPTY_BOARD);
    if (after === before) return;
    const next = new Map(boards);
    if (isEmpty(after)) next.delete(key);
    else next.set(key, after);
    this.boards.set(next);
    this.#remember();
  }

  #setPointer(key: SurfaceKey, author: string, point: Point | null): void {
    const before = this.pointers.get();
    if (!before.has(key) && before.size >= BOARDS) return;
    const others = (before.get(key) ?? []).filter((each) => each.author !== author);
    const next = new Map(before);
    const shining = point === null ? others : [...others, { author, point, atMs: this.#now() }];
    if (shining.length === 0) next.delete(key);
    else next.set(key, shining);
    this.pointers.set(next);
    this.#sweepTimer ??= setTimeout(() => this.#sweep(), POINTER_MS);
  }

  /** Puts out pointers that nobody moves any more: their last packet may have been lost. */
  #sweep(): void {
    this.#sweepTimer = undefined;
    const limit = this.#now() - POINTER_MS;
    const next = new Map<SurfaceKey, readonly Pointer[]>();
    let gone = false;
    for (const [key, pointers] of this.pointers.get()) {
      const live = pointers.filter((each) => each.atMs > limit || each.author === this.channel.identity);
      gone ||= live.length !== pointers.length;
      if (live.length > 0) next.set(key, live);
    }
    if (gone) this.pointers.set(next);
    if (next.size > 0) this.#sweepTimer = setTimeout(() => this.#sweep(), POINTER_MS / 3);
  }

  #sendPointer(key: SurfaceKey, point: Point | null): void {
    clearTimeout(this.#pointerTimer);
    this.#pointerSentMs = this.#now();
    this.#pointerCount += 1;
    this.send({ t: "point", s: key, n: this.#pointerCount, at: point });
    if (point !== null) this.#pointerTimer = setTimeout(() => this.#resendPointer(), POINTER_REST_MS);
  }

  #resendPointer(): void {
    if (this.#pointer !== null) this.#sendPointer(this.#pointer.surface, this.#pointer.point);
  }

  #forgetAuthor(identity: string, gone: boolean): void {
    if (gone) this.#seen.delete(identity);
    this.#pieces.delete(identity);
    for (const [key, board] of this.boards.get()) {
      this.#change(key, () => {
        const kept = withoutMarks(board, (mark) => mark.author === identity);
        return kept.frozenBy === identity ? withFreeze(kept, null) : kept;
      });
    }
    for (const key of this.pointers.get().keys()) this.#setPointer(key, identity, null);
  }

  #endSurface(key: SurfaceKey): void {
    this.#told.delete(key);
    this.#drawn = this.#drawn.filter((each) => each.surface !== key);
    for (const stroke of this.#strokes) if (stroke.key === key) stroke.stop();
    this.#change(key, () => EMPTY_BOARD);
    const next = new Map(this.pointers.get());
    if (next.delete(key)) this.pointers.set(next);
    if (this.#pointer?.surface === key) this.#pointer = null;
  }

  // Memory -----------------------------------------------------------------------------------------------------------

  #remember(): void {
    const { memory, draws } = this.options;
    if (memory === undefined || !draws || this.channel.identity === "" || !this.#remembered) return;
    const kept: [SurfaceKey, GuideMark[]][] = [];
    for (const [key, board] of this.boards.get()) {
      const own = board.marks.filter((mark) => this.#isOwn(mark));
      if (own.length > 0) kept.push([key, own]);
    }
    memory.save(JSON.stringify(kept));
  }

  /** What we had drawn before the page was loaded anew, as far as it is still shown. */
  #recall(): void {
    const { memory, draws } = this.options;
    if (memory === undefined || !draws) return;
    let kept: unknown;
    try {
      kept = JSON.parse(memory.load() ?? "[]");
    } catch {
      return;
    }
    if (!Array.isArray(kept)) return;
    for (const entry of kept as [SurfaceKey, GuideMark[]][]) {
      const surface = Array.isArray(entry) && typeof entry[0] === "string" ? surfaceOf(entry[0]) : null;
      if (surface === null || !this.channel.has(surface) || !Array.isArray(entry[1])) continue;
      for (const message of marksMessages(entry[0], entry[1])) {
        const checked = parse(encode(message));
        if (checked?.t === "marks") for (const mark of checked.marks) this.keep(checked.s, mark);
        else if (checked?.t === "more") {
          const { id, from, points } = checked;
          this.#change(checked.s, (board) => withPoints(board, this.channel.identity, id, from, points));
        }
      }
    }
  }

  #isOwn(mark: Mark): boolean {
    return mark.author === this.channel.identity;
  }

  #newId(): string {
    this.#count += 1;
    return `${this.#prefix}-${this.#count}`;
  }
}

function joined(pieces: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

/** A mark that grows under the agent's hand: shown at once here, sent in small steps. */
class LiveStroke implements Stroke {
  #mark: GuideMark;
  /** Points of the line that were sent; null: nothing was. */
  #sent: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  constructor(
    private readonly guide: Guide,
    readonly key: SurfaceKey,
    mark: GuideMark,
  ) {
    this.#mark = mark;
    if (mark.kind === "pen") this.#grown();
  }

  extend(point: Point): void {
    if (this.#over) return;
    const place = quantised(point);
    const { points, kind } = this.#mark;
    if (kind === "pen") {
      const last = points.at(-1);
      if (last !== undefined && Math.abs(last.x - place.x) < NEAR && Math.abs(last.y - place.y) < NEAR) return;
      if (points.length >= POINTS_PER_MARK) return;
      this.#mark = { ...this.#mark, points: [...points, place] };
    } else {
      this.#mark = { ...this.#mark, points: [points[0] ?? place, place] };
    }
    this.#grown();
  }

  end(): void {
    if (this.#over) return;
    const [first, last] = [this.#mark.points[0], this.#mark.points.at(-1)];
    const tiny = first !== undefined && last !== undefined && Math.hypot(first.x - last.x, first.y - last.y) < NEAR * 4;
    if (this.#mark.kind !== "pen" && tiny) {
      this.cancel();
      return;
    }
    this.#flush();
    this.stop();
    this.guide.finished(this);
  }

  cancel(): void {
    if (this.#over) return;
    this.stop();
    this.guide.drop(this.key, this.#mark.id);
    this.guide.finished(this);
  }

  /** Nothing more is drawn or sent. */
  stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  /** The others have lost it: all is sent again. */
  again(): void {
    this.#sent = null;
    this.#grown();
  }

  #grown(): void {
    this.guide.keep(this.key, this.#mark);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, STROKE_PAUSE_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { kind, points, id } = this.#mark;
    if (kind === "pen" && this.#sent !== null) {
      if (points.length > this.#sent) {
        this.guide.send({ t: "more", s: this.key, id, from: this.#sent, points: points.slice(this.#sent) });
      }
    } else {
      for (const message of marksMessages(this.key, [this.#mark])) this.guide.send(message);
    }
    this.#sent = points.length;
  }
}
