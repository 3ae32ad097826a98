/** Gives a shadow root its styles without markup in the page: also under a policy that allows no inline styles. */
export function adoptStyles(root: ShadowRoot, ...styles: readonly string[]): void {
  try {
    const sheets = styles.map((text) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      return sheet;
    });
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, ...sheets];
  } catch {
    // Safari before 16.4 knows no such sheets.
    for (const text of styles) {
      const element = document.createElement("style");
      element.textContent = text;
      root.append(element);
    }
  }
}

/** The host page's colour as ours, with a text colour that can be read on it. Anything that is no colour is ignored. */
export function applyColour(element: HTMLElement, colour: string | null): void {
  for (const name of ["--accent", "--accent-hover", "--on-accent"]) element.style.removeProperty(name);
  if (colour === null || !CSS.supports("color", colour)) return;
  element.style.setProperty("--accent", colour);
  element.style.setProperty("--accent-hover", `color-mix(in srgb, ${colour}, black 14%)`);
  element.style.setProperty("--on-accent", luminance(colour) > 0.42 ? "#10151a" : "#ffffff");
}

/** Relative luminance of a colour, 0..1, as a canvas draws it. */
function luminance(colour: string): number {
  const context = document.createElement("canvas").getContext("2d");
  if (context === null) return 0;
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
  const linear = (value: number): number => ((value / 255 + 0.055) / 1.055) ** 2.4;
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}
