export interface Popout {
  readonly container: HTMLElement;
  close(): void;
}

const WIDTH = 1280;
const HEIGHT = 760;

/** A window of our own, for a second monitor, dressed like this page; null when the browser forbids it. */
export function openPopout(title: string, onClosed: () => void): Popout | null {
  const opened = window.open("", "raisehand-screen", `popup,width=${WIDTH},height=${HEIGHT}`);
  if (opened === null) return null;
  const { document: page } = opened;
  page.title = title;
  page.documentElement.lang = document.documentElement.lang;
  page.documentElement.dataset.theme = document.documentElement.dataset.theme ?? "light";
  page.head.replaceChildren();
  page.body.replaceChildren();
  for (const sheet of document.querySelectorAll<HTMLLinkElement>('link[rel="stylesheet"]')) {
    const link = page.createElement("link");
    link.rel = "stylesheet";
    link.href = sheet.href;
    page.head.append(link);
  }
  for (const sheet of document.querySelectorAll<HTMLStyleElement>("style")) {
    const style = page.createElement("style");
    style.nonce = sheet.nonce; // The new page has this one's policy.
    style.textContent = sheet.textContent;
    page.head.append(style);
  }
  const container = page.createElement("div");
  container.className = "rh-popout rh-app";
  page.body.append(container);
  let over = false;
  const close = (): void => {
    if (over) return;
    over = true;
    clearInterval(watching);
    window.removeEventListener("pagehide", close);
    opened.close();
    onClosed();
  };
  // `pagehide` of the new window also comes when it first loads; `closed` tells for sure.
  const watching = setInterval(() => {
    if (opened.closed) close();
  }, 300);
  window.addEventListener("pagehide", close);
  opened.focus();
  return { container, close };
}
