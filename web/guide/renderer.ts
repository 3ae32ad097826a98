import { fromPicture, type Point, type Rect } from "../shared/guide/geometry";
import { type Board, EMPTY_BOARD, type Mark, type Pointer } from "../shared/guide/model";

/** Colours of marks, each seen on white, black and pictures thanks to the light rim around it. */
export const PALETTE = ["#f5222d", "#fa8c16", "#fadb14", "#13c26b", "#1677ff", "#c41dff"] as const;

/** Sizes as parts of the picture's shorter side, so that a mark covers the same at any size; least CSS pixels. */
const LINE = { part: 0.007, least: 2.5 };
const RIM = { part: 0.004, least: 1.5 };
const TEXT = { part: 0.042, least: 11 };
const LASER = { part: 0.014, least: 6 };
const NAME = { part: 0.026, least: 11 };
/** How long the laser's trail stays, in milliseconds. */
const TRAIL_MS = 420;
const FONT = 'system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
const LASER_COLOUR = "#ff2d3d";

export interface GuideDrawing {
  readonly board: Board;
  readonly pointers: readonly Pointer[];
}

export interface RendererOptions {
  /** Name beside the laser pointer; empty: none. */
  readonly nameOf: (author: string) => string;
  /** Pointers of this author are not drawn: the own mouse shows the place already. */
  readonly hidePointerOf?: string;
  /** Less motion: the laser draws no trail. */
  readonly calm?: boolean;
}

/** Draws marks and pointers on a canvas that lies over a picture. Draws only when something changes. */
export class GuideRenderer {
  #drawing: GuideDrawing = { board: EMPTY_BOARD, pointers: [] };
  /** The picture on the canvas, in CSS pixels; null: none is seen. */
  #picture: Rect | null = null;
  #width = 0;
  #height = 0;
  #frame = 0;
  readonly #trails = new Map<string, { point: Point; atMs: number }[]>();
  readonly #view: Window & typeof globalThis;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly options: RendererOptions,
  ) {
    // A canvas in a window of its own (a second monitor) is painted by that window's clock.
    this.#view = (canvas.ownerDocument.defaultView ?? window);
  }

  /** The canvas's size and where the picture lies in it, in CSS pixels. */
  place(width: number, height: number, picture: Rect | null): void {
    this.#width = width;
    this.#height = height;
    this.#picture = picture;
    const scale = this.#scale();
    const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.canvas.width !== wide) this.canvas.width = wide;
    if (this.canvas.height !== high) this.canvas.height = high;
    this.#paint();
  }

  show(drawing: GuideDrawing): void {
    const nowMs = performance.now();
    for (const pointer of drawing.pointers) {
      const trail = this.#trails.get(pointer.author) ?? [];
      const last = trail.at(-1)?.point;
      if (last?.x !== pointer.point.x || last.y !== pointer.point.y) trail.push({ point: pointer.point, atMs: nowMs });
      this.#trails.set(pointer.author, trail.slice(-60));
    }
    for (const author of this.#trails.keys()) {
      if (!drawing.pointers.some((pointer) => pointer.author === author)) this.#trails.delete(author);
    }
    this.#drawing = drawing;
    this.#paintSoon();
  }

  close(): void {
    this.#view.cancelAnimationFrame(this.#frame);
    this.#frame = -1;
  }

  #scale(): number {
    return Math.min(3, this.#view.devicePixelRatio || 1);
  }

  #paintSoon(): void {
    if (this.#frame !== 0) return;
    this.#frame = this.#view.requestAnimationFrame(() => {
      if (this.#frame === -1) return;
      this.#frame = 0;
      this.#paint();
    });
  }

  #paint(): void {
    const context = this.canvas.getContext("2d");
    if (context === null) return;
    const scale = this.#scale();
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, this.#width, this.#height);
    const picture = this.#picture;
    if (picture === null) return;
    context.save();
    context.beginPath();
    context.rect(picture.left, picture.top, picture.width, picture.height);
    context.clip();
    context.lineCap = "round";
    context.lineJoin = "round";
    for (const mark of this.#drawing.board.marks) paintMark(context, mark, picture);
    let moving = false;
    for (const pointer of this.#drawing.pointers) {
      if (pointer.author === this.options.hidePointerOf) continue;
      moving = this.#paintPointer(context, pointer, picture) || moving;
    }
    context.restore();
    if (moving) this.#paintSoon();
  }

  /** Whether its trail still fades. */
  #paintPointer(context: CanvasRenderingContext2D, pointer: Pointer, picture: Rect): boolean {
    const radius = size(LASER, picture);
    const { left, top } = fromPicture(pointer.point, picture);
    const nowMs = performance.now();
    const trail = (this.#trails.get(pointer.author) ?? []).filter((each) => nowMs - each.atMs < TRAIL_MS);
    const fading = this.options.calm !== true && trail.length > 1;
    if (fading) {
      context.strokeStyle = LASER_COLOUR;
      let before = trail[0];
      for (const step of trail.slice(1)) {
        if (before === undefined) break;
        const life = 1 - (nowMs - step.atMs) / TRAIL_MS;
        context.globalAlpha = 0.55 * life;
        context.lineWidth = Math.max(1, radius * 1.1 * life);
        context.beginPath();
        line(context, [before.point, step.point], picture);
        context.stroke();
        before = step;
      }
      context.globalAlpha = 1;
    }
    const glow = context.createRadialGradient(left, top, radius * 0.4, left, top, radius * 2.4);
    glow.addColorStop(0, "rgba(255, 45, 61, 0.55)");
    glow.addColorStop(1, "rgba(255, 45, 61, 0)");
    context.fillStyle = glow;
    disc(context, left, top, radius * 2.4);
    context.fillStyle = "#ffffff";
    disc(context, left, top, radius);
    context.fillStyle = LASER_COLOUR;
    disc(context, left, top, radius * 0.76);
    const name = this.options.nameOf(pointer.author);
    if (name !== "") label(context, name, left + radius * 1.8, top + radius * 1.4, size(NAME, picture), LASER_COLOUR, picture);
    return fading;
  }
}

function size({ part, least }: { part: number; least: number }, picture: Rect): number {
  return Math.max(least, Math.min(picture.width, picture.height) * part);
}

function colourOf(mark: Mark): string {
  return PALETTE[mark.colour] ?? PALETTE[0];
}

function paintMark(context: CanvasRenderingContext2D, mark: Mark, picture: Rect): void {
  const colour = colourOf(mark);
  const [first, second] = mark.points;
  if (first === undefined) return;
  if (mark.kind === "text") {
    const { left, top } = fromPicture(first, picture);
    label(context, mark.text, left, top, size(TEXT, picture), colour, picture);
    return;
  }
  const width = size(LINE, picture);
  const trace = (): void => {
    context.beginPath();
    if (mark.kind === "pen") curve(context, mark.points, picture);
    else if (second !== undefined && mark.kind === "box") box(context, first, second, picture, width);
    else if (second !== undefined) arrow(context, first, second, picture, width);
  };
  context.strokeStyle = "rgba(255, 255, 255, 0.9)";
  context.lineWidth = width + 2 * size(RIM, picture);
  trace();
  context.stroke();
  context.strokeStyle = colour;
  context.lineWidth = width;
  trace();
  context.stroke();
}

function line(context: CanvasRenderingContext2D, points: readonly Point[], picture: Rect): void {
  points.forEach((point, index) => {
    const { left, top } = fromPicture(point, picture);
    if (index === 0) context.moveTo(left, top);
    else context.lineTo(left, top);
  });
}

/** Through the middles between the points, so that a hand's line has no corners. */
function curve(context: CanvasRenderingContext2D, points: readonly Point[], picture: Rect): void {
  const places = points.map((point) => fromPicture(point, picture));
  const first = places[0];
  const last = places.at(-1);
  if (first === undefined || last === undefined) return;
  context.moveTo(first.left, first.top);
  if (places.length === 1) context.lineTo(first.left + 0.01, first.top);
  for (let at = 1; at < places.length - 1; at++) {
    const [here, next] = [places[at], places[at + 1]];
    if (here === undefined || next === undefined) break;
    context.quadraticCurveTo(here.left, here.top, (here.left + next.left) / 2, (here.top + next.top) / 2);
  }
  if (places.length > 1) context.lineTo(last.left, last.top);
}

function box(context: CanvasRenderingContext2D, one: Point, other: Point, picture: Rect, width: number): void {
  const [from, to] = [fromPicture(one, picture), fromPicture(other, picture)];
  const [wide, high] = [Math.abs(to.left - from.left), Math.abs(to.top - from.top)];
  const [left, top] = [Math.min(from.left, to.left), Math.min(from.top, to.top)];
  context.roundRect(left, top, wide, high, Math.min(width * 2, wide / 2, high / 2));
}

function arrow(context: CanvasRenderingContext2D, tail: Point, tip: Point, picture: Rect, width: number): void {
  const [from, to] = [fromPicture(tail, picture), fromPicture(tip, picture)];
  const angle = Math.atan2(to.top - from.top, to.left - from.left);
  const length = Math.hypot(to.top - from.top, to.left - from.left);
  const head = Math.min(length * 0.6, width * 4.5);
  context.moveTo(from.left, from.top);
  context.lineTo(to.left, to.top);
  for (const side of [-1, 1]) {
    context.moveTo(to.left, to.top);
    context.lineTo(to.left - head * Math.cos(angle + side * 0.5), to.top - head * Math.sin(angle + side * 0.5));
  }
}

function disc(context: CanvasRenderingContext2D, left: number, top: number, radius: number): void {
  context.beginPath();
  context.arc(left, top, radius, 0, 2 * Math.PI);
  context.fill();
}

/** White letters on a coloured plate, in several lines if it is long, moved so that all of it is in the picture. */
function label(
  context: CanvasRenderingContext2D,
  text: string,
  left: number,
  top: number,
  height: number,
  colour: string,
  picture: Rect,
): void {
  context.font = `600 ${height}px ${FONT}`;
  const pad = height * 0.35;
  const lines = wrapped(context, text, Math.max(height * 4, picture.width * 0.5));
  const wide = Math.max(...lines.map((each) => context.measureText(each).width)) + 2 * pad;
  const high = lines.length * height * 1.3 + pad;
  const x = Math.max(picture.left, Math.min(left, picture.left + picture.width - wide));
  const y = Math.max(picture.top, Math.min(top, picture.top + picture.height - high));
  context.fillStyle = "rgba(255, 255, 255, 0.9)";
  plate(context, x - 1.5, y - 1.5, wide + 3, high + 3, height * 0.35);
  context.fillStyle = colour;
  plate(context, x, y, wide, high, height * 0.3);
  // Yellow is too light for white letters.
  context.fillStyle = colour === PALETTE[2] ? "#1f1f1f" : "#ffffff";
  context.textBaseline = "middle";
  lines.forEach((each, index) => context.fillText(each, x + pad, y + pad / 2 + (index + 0.5) * height * 1.3));
}

function plate(context: CanvasRenderingContext2D, left: number, top: number, wide: number, high: number, round: number): void {
  context.beginPath();
  context.roundRect(left, top, wide, high, round);
  context.fill();
}

/** Breaks between characters: Chinese has no spaces, and a label is short. */
function wrapped(context: CanvasRenderingContext2D, text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let current = "";
    for (const character of paragraph) {
      if (current !== "" && context.measureText(current + character).width > width) {
        const space = /[\x21-\x7e]/.test(character) ? current.lastIndexOf(" ") : -1;
        lines.push(space > 0 ? current.slice(0, space) : current);
        current = space > 0 ? current.slice(space + 1) : "";
      }
      current += character;
    }
    lines.push(current);
  }
  return lines.slice(0, 8);
}
