/**
 * Keeps an element of the widget above what the page shows in full screen, where the browser has a top layer for it
 * (Chromium 114, Safari 17, Firefox 125); elsewhere it is seen again after the full screen. Outside of full screen the
 * element stays as it is. `wanted` is asked at each change. Returns the function that ends it.
 */
export function keepAboveFullScreen(element: HTMLElement, wanted: () => boolean = () => true): () => void {
  if (!("showPopover" in element)) return () => undefined;
  const settle = (): void => {
    const focused = focusWithin(element);
    // What entered the top layer last lies on top: what is there already has to enter again.
    lower(element);
    if (isCovered(element) && wanted()) raise(element);
    focused?.focus({ preventScroll: true });
  };
  document.addEventListener("fullscreenchange", settle);
  settle();
  return () => {
    document.removeEventListener("fullscreenchange", settle);
    lower(element);
  };
}

/** Whether something else than an element around ours is in full screen. */
function isCovered(element: HTMLElement): boolean {
  const root = element.getRootNode();
  const seen = root instanceof ShadowRoot ? root.host : element;
  const full = document.fullscreenElement;
  return full !== null && seen.isConnected && !full.contains(seen);
}

function raise(element: HTMLElement): void {
  element.popover = "manual";
  element.showPopover();
}

function lower(element: HTMLElement): void {
  element.popover = null;
}

function focusWithin(element: HTMLElement): HTMLElement | null {
  const root = element.getRootNode();
  const active = root instanceof ShadowRoot ? root.activeElement : null;
  return active instanceof HTMLElement && element.contains(active) ? active : null;
}
