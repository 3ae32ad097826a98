/** The attribute by which the host page marks what agents must not see. */
export const PRIVATE = "data-raisehand-private";

/* What is private is not painted at all while the page is shared. A patch that is laid or drawn over it would lag
 * behind a page that scrolls, and what it uncovers for one frame has left the browser. A transition would fade slowly
 * and has precedence over all rules, so it is switched off too; opacity also holds for descendants and shadow trees
 * that say `visibility: visible`. Patches are drawn over the empty places, for people to see why they are empty. */
const HIDDEN = `
[${PRIVATE}], [${PRIVATE}] *, [${PRIVATE}]::before, [${PRIVATE}]::after, [${PRIVATE}] *::before, [${PRIVATE}] *::after {
  visibility: hidden !important;
  opacity: 0 !important;
  transition: none !important;
  animation: none !important;
  pointer-events: none !important;
}`;

/** Hides what the host page marks as private, in the page and in its open shadow trees, until told otherwise. */
export class PrivateCovers {
  #sheet: CSSStyleSheet | null = null;
  readonly #roots = new Set<Document | ShadowRoot>();
  #observer: MutationObserver | null = null;

  get active(): boolean {
    return this.#sheet !== null;
  }

  cover(): void {
    if (this.#sheet !== null) return;
    this.#sheet = new CSSStyleSheet();
    this.#sheet.replaceSync(HIDDEN);
    this.#add(document);
    this.#search(document);
    this.#observer = new MutationObserver((records) => {
      for (const record of records) for (const node of record.addedNodes) if (node instanceof Element) this.#search(node);
    });
    this.#observer.observe(document, { childList: true, subtree: true });
  }

  uncover(): void {
    const sheet = this.#sheet;
    if (sheet === null) return;
    this.#observer?.disconnect();
    for (const root of this.#roots) root.adoptedStyleSheets = root.adoptedStyleSheets.filter((each) => each !== sheet);
    this.#roots.clear();
    this.#sheet = null;
  }

  /** The outermost private places that take up room on the page now. */
  places(): DOMRect[] {
    const found: DOMRect[] = [];
    for (const root of this.#roots) {
      for (const element of root.querySelectorAll(`[${PRIVATE}]`)) {
        if (element.parentElement?.closest(`[${PRIVATE}]`) != null) continue;
        const place = element.getBoundingClientRect();
        if (place.width > 0 && place.height > 0) found.push(place);
      }
    }
    return found;
  }

  #add(root: Document | ShadowRoot): void {
    if (this.#sheet === null || this.#roots.has(root)) return;
    this.#roots.add(root);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, this.#sheet];
  }

  #search(top: Element | Document | ShadowRoot): void {
    const visit = (element: Element): void => {
      if (element.shadowRoot === null) return;
      this.#add(element.shadowRoot);
      this.#observer?.observe(element.shadowRoot, { childList: true, subtree: true });
      this.#search(element.shadowRoot);
    };
    if (top instanceof Element) visit(top);
    for (const element of top.querySelectorAll("*")) visit(element);
  }
}
