/** Where a window was moved to, from where it stands by itself, in CSS pixels. */
export interface Offset {
  x: number;
  y: number;
}

/** Pixels that an arrow key moves a window. */
const STEP = 24;
/** A pointer that moves less than this clicks. */
const SLACK = 4;

/** Lets an element be moved by its handle, never out of sight. Returns the function that ends it. */
export function makeMovable(element: HTMLElement, handle: HTMLElement, offset: Offset): () => void {
  const place = (x: number, y: number): void => {
    const box = element.getBoundingClientRect();
    const left = box.left - offset.x;
    const top = box.top - offset.y;
    const clamp = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), Math.max(least, most));
    offset.x = clamp(x, -left + 4, window.innerWidth - box.width - left - 4);
    offset.y = clamp(y, -top + 4, window.innerHeight - box.height - top - 4);
    element.style.transform = offset.x === 0 && offset.y === 0 ? "" : `translate(${offset.x}px, ${offset.y}px)`;
  };
  let from: { pointer: number; x: number; y: number; moved: boolean } | null = null;
  const down = (event: PointerEvent): void => {
    if (event.button !== 0 || (event.target instanceof Element && event.target.closest("button, a, input") !== null)) return;
    from = { pointer: event.pointerId, x: event.clientX - offset.x, y: event.clientY - offset.y, moved: false };
  };
  const move = (event: PointerEvent): void => {
    if (from?.pointer !== event.pointerId) return;
    const x = event.clientX - from.x;
    const y = event.clientY - from.y;
    if (!from.moved && Math.hypot(x - offset.x, y - offset.y) < SLACK) return;
    if (!from.moved) handle.setPointerCapture(event.pointerId);
    from.moved = true;
    place(x, y);
  };
  const up = (): void => {
    from = null;
  };
  const key = (event: KeyboardEvent): void => {
    if (event.target !== handle) return;
    const steps: Record<string, [number, number]> = {
      ArrowLeft: [-STEP, 0],
      ArrowRight: [STEP, 0],
      ArrowUp: [0, -STEP],
      ArrowDown: [0, STEP],
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    place(offset.x + step[0], offset.y + step[1]);
  };
  const settle = (): void => place(offset.x, offset.y);
  handle.addEventListener("pointerdown", down);
  handle.addEventListener("pointermove", move);
  handle.addEventListener("pointerup", up);
  handle.addEventListener("pointercancel", up);
  handle.addEventListener("keydown", key);
  window.addEventListener("resize", settle);
  settle();
  return () => {
    handle.removeEventListener("pointerdown", down);
    handle.removeEventListener("pointermove", move);
    handle.removeEventListener("pointerup", up);
    handle.removeEventListener("pointercancel", up);
    handle.removeEventListener("keydown", key);
    window.removeEventListener("resize", settle);
  };
}
