import { GuideRenderer } from "../../guide/renderer";
import { drawStill } from "../../guide/still";
import { letterbox } from "../../shared/guide/geometry";
import type { Guide } from "../../shared/guide/guide";
import { EMPTY_BOARD, keyOf, type Surface } from "../../shared/guide/model";
import { prefersCalm } from "./calm";

/** A person's own picture with the agent's marks over it, in a box of any size; the picture keeps its proportions.
 * While an agent holds the picture still, it stands still: at once, and then at the very frame that the agent sees. */
export class MirrorPicture {
  readonly #video: HTMLVideoElement;
  readonly #still: HTMLCanvasElement;
  #held: Uint8Array | null = null;
  readonly #renderer: GuideRenderer;
  readonly #sizes: ResizeObserver;
  readonly #stops: (() => void)[];

  constructor(
    private readonly box: HTMLElement,
    private readonly guide: Guide,
    private readonly surface: Surface,
    track: MediaStreamTrack,
    nameOf: (identity: string) => string,
  ) {
    const page = box.ownerDocument;
    this.#video = page.createElement("video");
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#video.autoplay = true;
    this.#video.srcObject = new MediaStream([track]);
    this.#still = page.createElement("canvas");
    this.#still.className = "guide-still";
    this.#still.hidden = true;
    const canvas = page.createElement("canvas");
    canvas.className = "guide-marks";
    box.replaceChildren(this.#video, this.#still, canvas);
    this.#renderer = new GuideRenderer(canvas, { nameOf, calm: prefersCalm() });
    this.#sizes = new ResizeObserver(() => this.#place());
    this.#sizes.observe(box);
    this.#video.onresize = () => this.#place();
    this.#stops = [guide.boards.subscribe(() => this.#draw()), guide.pointers.subscribe(() => this.#draw())];
    this.#place();
    this.#draw();
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#sizes.disconnect();
    this.#renderer.close();
    this.#video.srcObject = null;
    this.box.replaceChildren();
  }

  #place(): void {
    const { clientWidth: width, clientHeight: height } = this.box;
    const picture = letterbox({ width: this.#video.videoWidth, height: this.#video.videoHeight }, { width, height });
    this.#renderer.place(width, height, picture);
  }

  #draw(): void {
    const key = keyOf(this.surface);
    const board = this.guide.boards.get().get(key) ?? EMPTY_BOARD;
    if (board.frozenBy !== null) this.#video.pause();
    // A browser may refuse to play in a hidden page: the next change tries again.
    else if (this.#video.paused) void this.#video.play().catch(() => undefined);
    this.#hold(board.still);
    this.#renderer.show({ board, pointers: this.guide.pointers.get().get(key) ?? [] });
  }

  #hold(still: Uint8Array<ArrayBuffer> | null): void {
    if (still === this.#held) return;
    this.#held = still;
    if (still === null) this.#still.hidden = true;
    else {
      void drawStill(this.#still, still).then(() => {
        this.#still.hidden = this.#held === null;
      });
    }
  }
}
