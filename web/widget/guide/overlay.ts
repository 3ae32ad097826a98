import { GuideRenderer } from "../../guide/renderer";
import { pictureAround, type Size } from "../../shared/guide/geometry";
import type { Guide } from "../../shared/guide/guide";
import { EMPTY_BOARD, keyOf, type Surface } from "../../shared/guide/model";
import { prefersCalm } from "./calm";
import type { PrivateCovers } from "./covers";

const STYLE = `
:host { all: initial; display: block; position: fixed; inset: 0; margin: 0; padding: 0; border: 0; overflow: hidden;
  width: 100vw; height: 100vh; max-width: none; max-height: none; background: none; pointer-events: none;
  z-index: 2147483647; }
canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
p { position: absolute; margin: 0; box-sizing: border-box; overflow: hidden; display: flex; align-items: center;
  justify-content: center; border-radius: 6px; border: 1.5px dashed #7c8894; color: #3d4752;
  font: 500 13px/1.3 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif; text-align: center;
  background: repeating-linear-gradient(135deg, #e4e8ec 0 8px, #d8dde3 8px 16px); }
p.small { font-size: 0; }
`;
/** Patches lower or narrower than this have no room for words, in CSS pixels. */
const WORDS = { width: 90, height: 20 };
const TAG = "raisehand-guide-overlay";

export interface OverlayOptions {
  readonly nameOf: (identity: string) => string;
  readonly privateLabel: string;
  /** The captured picture's size now; null: not known. */
  readonly pictureSize: () => Size | null;
  /** So many private places are covered now. */
  readonly onCovered: (count: number) => void;
}

/** Lies over our own page while it is shared: patches where something private is, and the agent's marks.
 * Nothing on it can be clicked, it takes no keys, and the page's layout does not know of it. */
export class PageOverlay {
  readonly #host = document.createElement(TAG);
  readonly #patches: HTMLParagraphElement[] = [];
  readonly #root: ShadowRoot;
  readonly #renderer: GuideRenderer;
  readonly #stops: (() => void)[] = [];
  #frame = 0;
  #drawing = true;
  #covered = -1;
  #laidOut = "";

  constructor(
    guide: Guide,
    private readonly surface: Surface,
    private readonly covers: PrivateCovers,
    private readonly options: OverlayOptions,
  ) {
    this.#host.setAttribute("aria-hidden", "true");
    this.#root = this.#host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    this.#root.adoptedStyleSheets = [sheet];
    const canvas = document.createElement("canvas");
    this.#root.append(canvas);
    this.#renderer = new GuideRenderer(canvas, { nameOf: options.nameOf, calm: prefersCalm() });
    document.documentElement.append(this.#host);
    this.#raise();
    const draw = (): void => {
      const key = keyOf(this.surface);
      const board = guide.boards.get().get(key) ?? EMPTY_BOARD;
      const visible = this.#drawing && board.frozenBy === null;
      this.#renderer.show({
        board: visible ? board : EMPTY_BOARD,
        pointers: visible ? (guide.pointers.get().get(key) ?? []) : [],
      });
    };
    this.#stops.push(guide.boards.subscribe(draw), guide.pointers.subscribe(draw));
    this.#redraw = draw;
    const raise = (): void => this.#raise();
    document.addEventListener("fullscreenchange", raise);
    this.#stops.push(() => document.removeEventListener("fullscreenchange", raise));
    this.#step();
    draw();
  }

  readonly #redraw: () => void;

  /** Whether marks belong on this page; patches stay either way. */
  set drawing(on: boolean) {
    this.#drawing = on;
    this.#redraw();
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    for (const stop of this.#stops) stop();
    this.#renderer.close();
    this.#host.remove();
  }

  /** Over dialogs and full screen elements of the page, where the browser knows how. */
  #raise(): void {
    if (typeof this.#host.showPopover !== "function") return;
    this.#host.popover = "manual";
    if (this.#host.matches(":popover-open")) this.#host.hidePopover();
    this.#host.showPopover();
  }

  /** The page may scroll or change at any time: looked at once a frame, while it is shared. */
  #step(): void {
    this.#frame = requestAnimationFrame(() => this.#step());
    const page = { width: window.innerWidth, height: window.innerHeight };
    const picture = pictureAround(page, this.options.pictureSize() ?? page);
    const layout = `${page.width} ${page.height} ${picture?.left ?? 0} ${picture?.top ?? 0} ${window.devicePixelRatio}`;
    if (layout !== this.#laidOut) {
      this.#laidOut = layout;
      this.#renderer.place(page.width, page.height, picture);
    }
    this.#patch(page);
  }

  #patch(page: Size): void {
    const places = this.covers.active ? this.covers.places() : [];
    if (places.length !== this.#covered) {
      this.#covered = places.length;
      this.options.onCovered(places.length);
    }
    const seen = places.filter((at) => at.right > 0 && at.bottom > 0 && at.left < page.width && at.top < page.height);
    while (this.#patches.length < seen.length) {
      const patch = document.createElement("p");
      patch.textContent = this.options.privateLabel;
      this.#patches.push(patch);
      this.#root.prepend(patch);
    }
    for (const extra of this.#patches.splice(seen.length)) extra.remove();
    seen.forEach(({ left, top, width, height }, index) => {
      const patch = this.#patches[index];
      if (patch === undefined) return;
      const small = width < WORDS.width || height < WORDS.height;
      if (patch.classList.contains("small") !== small) patch.classList.toggle("small", small);
      const { style } = patch;
      const place = [`${left}px`, `${top}px`, `${width}px`, `${height}px`] as const;
      if (style.left !== place[0]) style.left = place[0];
      if (style.top !== place[1]) style.top = place[1];
      if (style.width !== place[2]) style.width = place[2];
      if (style.height !== place[3]) style.height = place[3];
    });
  }
}
