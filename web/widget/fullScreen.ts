/** What shows no children of its own: nothing of ours can be seen above it. */
const CHILDLESS = "video, audio, iframe, canvas, img, object, embed";

/**
 * Lets an element follow the page into full screen: what is outside of the element in full screen is not shown, and
 * browsers let nobody touch it, not even in the top layer. It goes home again afterwards; a comment keeps its place.
 * `wanted` is asked at each change. Returns the function that ends it.
 */
export function followFullScreen(element: HTMLElement, wanted: () => boolean): () => void {
  const home = document.createComment("");
  const settle = (): void => {
    const full = fullScreenElement();
    if (full !== null && wanted() && !full.contains(element) && !full.matches(CHILDLESS)) {
      if (!home.isConnected) element.before(home);
      move(element, full, null);
    } else if (full === null && home.parentNode !== null) {
      move(element, home.parentNode, home);
      home.remove();
    }
  };
  document.addEventListener("fullscreenchange", settle);
  settle();
  return () => {
    document.removeEventListener("fullscreenchange", settle);
    home.remove();
  };
}

/** The element in full screen, also inside of components. */
function fullScreenElement(): Element | null {
  let found = document.fullscreenElement;
  while (found?.shadowRoot?.fullscreenElement != null) found = found.shadowRoot.fullscreenElement;
  return found;
}

/** Moves an element with the focus in it. What it plays goes on, since it is back in the page at once. */
function move(element: HTMLElement, parent: Node & { moveBefore?: Node["insertBefore"] }, before: Node | null): void {
  if (parent.moveBefore !== undefined) {
    parent.moveBefore(element, before);
    return;
  }
  const focused = element.shadowRoot?.activeElement;
  parent.insertBefore(element, before);
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
}
