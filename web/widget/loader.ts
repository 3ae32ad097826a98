import { sendQuietly } from "./report";
import { type ClassHooks, HookedClassroom } from "./classroom";
import { followFullScreen } from "./fullScreen";
import { coverWhenShared } from "./guide/sharedTabs";
import { isChild, readPlatformClaims } from "../shared/help/claims";
import { Credentials } from "../shared/help/credentials";
import { type Memory, remembersCall } from "../shared/help/memory";
import { isLocale, type Locale, preferredLocale } from "../shared/i18n";
import { buttonTexts } from "../shared/i18n/student/button";
import buttonStyles from "./styles/button.css?inline";
import { adoptStyles, applyColour } from "./styling";
import type { ButtonStatus, PanelHandle } from "./panel";

const TAG = "raisehand-help";
/** The server: this script's own, unless the attribute `server` names another. */
const SERVER = new URL("..", import.meta.url).href;
const KEY_EVENTS = ["keydown", "keyup", "keypress"] as const;
const HAND =
  "M8.4 13V7.4a1.2 1.2 0 0 1 2.4 0v4.1m0 0V5.6a1.2 1.2 0 0 1 2.4 0v5.8m0-4.3a1.2 1.2 0 0 1 2.4 0v6.7c0 3.2-2 5.2-4.8 5.2-2.2 0-3.3-.9-4.3-2.7l-1.7-3a1.15 1.15 0 0 1 1.9-1.3l1.7 2";

/** What `on` can be told of; the same names, with `raisehand-` before them, are DOM events of the element. */
export type HelpEvent =
  | "open"
  | "close"
  | "ticket"
  | "accepted"
  | "connected"
  | "message"
  | "summoned"
  | "ended"
  | "rated"
  | "cancelled"
  | "error";

export interface HelpEventDetail {
  readonly call?: string;
  readonly ticket?: string;
  readonly error?: string;
}

type Listener = (detail: HelpEventDetail) => void;

/** The help button. Everything behind it is loaded at the first press. */
export class RaisehandHelp extends HTMLElement {
  static readonly observedAttributes = ["token", "language", "position", "colour", "color", "theme", "child", "button"];

  readonly #root: ShadowRoot;
  readonly #button: HTMLButtonElement;
  readonly #label: HTMLSpanElement;
  readonly #badge: HTMLSpanElement;
  readonly #credentials = new Credentials("", () => this.#askForToken());
  readonly #listeners = new Map<HelpEvent, Set<Listener>>();
  #getToken: (() => Promise<string>) | null = null;
  #pageHooks: ClassHooks = {};
  #pageContext: Record<string, unknown> = {};
  #panel: Promise<PanelHandle> | null = null;
  #handle: PanelHandle | null = null;
  #stopCovering: (() => void) | null = null;
  #stopFollowing: (() => void) | null = null;
  #status: ButtonStatus = { text: "", tone: "idle", unread: 0, hidden: false };

  constructor() {
    super();
    this.#root = this.attachShadow({ mode: "open" });
    adoptStyles(this.#root, buttonStyles);
    this.#button = document.createElement("button");
    this.#button.type = "button";
    this.#button.className = "launcher";
    this.#button.append(handIcon());
    this.#label = document.createElement("span");
    this.#label.className = "launcher-label";
    this.#badge = document.createElement("span");
    this.#badge.className = "launcher-badge";
    this.#button.append(this.#label, this.#badge);
    this.#button.addEventListener("click", () => this.open());
    this.#root.append(this.#button);
    // What is typed here is not for the page's shortcuts.
    for (const name of KEY_EVENTS) this.#root.addEventListener(name, (event) => event.stopPropagation());
  }

  connectedCallback(): void {
    for (const name of ["token", "getToken", "hooks", "context"] as const) this.#upgrade(name);
    this.#apply();
    this.#stopCovering ??= coverWhenShared();
    // A button that stands in the page's own text stays there.
    this.#stopFollowing ??= followFullScreen(this, () => this.getAttribute("position") !== "inline");
    if (remembersCall(storage())) void this.#load();
  }

  disconnectedCallback(): void {
    // Moved elsewhere in the page: it is back before the next task.
    setTimeout(() => {
      if (this.isConnected) return;
      this.#stopCovering?.();
      this.#stopCovering = null;
      this.#stopFollowing?.();
      this.#stopFollowing = null;
      this.#handle?.destroy();
      this.#handle = null;
      this.#panel = null;
    });
  }

  attributeChangedCallback(name: string): void {
    if (name === "token") this.#readToken();
    else if (this.isConnected) this.#apply();
  }

  get token(): string {
    return this.#credentials.current;
  }

  set token(token: string) {
    this.#credentials.replace(token);
  }

  /** Asked for a token when there is none and before one ends: the host page's own function. */
  get getToken(): (() => Promise<string>) | null {
    return this.#getToken;
  }

  set getToken(source: (() => Promise<string>) | null) {
    this.#getToken = source;
  }

  /** What the class page lends and lets be changed; see docs/widget.md. */
  get hooks(): ClassHooks {
    return this.#pageHooks;
  }

  set hooks(hooks: ClassHooks) {
    this.#pageHooks = hooks;
  }

  /** More of what the page knows, over the attributes. */
  get context(): Record<string, unknown> {
    return this.#pageContext;
  }

  set context(context: Record<string, unknown>) {
    this.#pageContext = context;
  }

  /** Opens the panel; with a topic (`no_sound`, `no_picture`, …) asks for help at once. */
  open(topic?: string): void {
    this.#button.classList.add("loading");
    void this.#load().then(
      (panel) => {
        panel.open(topic);
      },
      (error: unknown) => {
        this.#button.classList.remove("loading");
        this.#panel = null; // The next press tries again.
        this.#emit("error", { error: String(error) });
      },
    );
  }

  /** Makes it small; a call that goes on is not ended. */
  close(): void {
    this.#handle?.close();
  }

  /** Calls back at each event of the name; returns the function that ends it. */
  on(name: HelpEvent, listener: Listener): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** What the class client measures (loss, jitter, freezes, bitrate, log lines): kept for the agent. */
  async reportClassStats(stats: Record<string, unknown>): Promise<boolean> {
    const classId = this.getAttribute("class-id");
    return sendQuietly(this.#server(), this.#credentials, "/v1/class-stats", { class_id: classId, stats });
  }

  // ------------------------------------------------------------------------------------------------------------------

  /** A property set before this script came hides the accessor: put it through. */
  #upgrade(name: "token" | "getToken" | "hooks" | "context"): void {
    const own = Object.getOwnPropertyDescriptor(this, name);
    if (own === undefined) return;
    Reflect.deleteProperty(this, name);
    Reflect.set(this, name, own.value);
  }

  #readToken(): void {
    const token = this.getAttribute("token");
    if (token !== null && token !== "") this.#credentials.replace(token);
  }

  async #askForToken(): Promise<string> {
    if (this.#getToken !== null) return this.#getToken();
    const address = this.getAttribute("token-url");
    if (address === null) return this.#credentials.current;
    const answer = await fetch(new URL(address, document.baseURI), { credentials: "include", cache: "no-store" });
    if (!answer.ok) throw new Error(`token-url answered ${answer.status}`);
    const text = (await answer.text()).trim();
    return text.startsWith("{") ? String((JSON.parse(text) as { token?: unknown }).token) : text;
  }

  #server(): string {
    return new URL(this.getAttribute("server") ?? SERVER, document.baseURI).href;
  }

  #locale(): Locale {
    const wanted = this.getAttribute("language");
    if (isLocale(wanted)) return wanted;
    const said = readPlatformClaims(this.#credentials.current)?.locale ?? "";
    const page = this.closest("[lang]")?.getAttribute("lang") ?? "";
    return preferredLocale([wanted ?? "", said, page, ...navigator.languages].filter((each) => each !== ""));
  }

  #child(): boolean | null {
    const child = this.getAttribute("child");
    return child === null ? null : child !== "false";
  }

  /** The page has changed what it asks for. */
  #apply(): void {
    this.#draw();
    this.#handle?.refresh();
  }

  #draw(): void {
    applyColour(this, this.getAttribute("colour") ?? this.getAttribute("color"));
    const texts: Readonly<Record<string, string>> = buttonTexts[this.#locale()];
    const claims = readPlatformClaims(this.#credentials.current);
    const child = this.#child() ?? (claims !== null && isChild(claims));
    const { text, tone, unread, hidden } = this.#status;
    this.#label.textContent = text === "" ? (texts["button.label"] ?? "") : text;
    this.#button.title = texts[child ? "button.hint.child" : "button.hint"] ?? "";
    this.#button.lang = this.#locale();
    this.#button.dataset.tone = tone;
    this.#button.hidden = hidden || this.getAttribute("button") === "none";
    this.#badge.textContent = unread > 0 ? String(unread) : "";
  }

  #load(): Promise<PanelHandle> {
    this.#panel ??= import("./panel").then(async ({ mountPanel }) => {
      // Without a token there is nobody to ask for; the panel says so itself when this fails.
      await this.#credentials.fresh().catch(() => undefined);
      const kind = this.getAttribute("kind");
      const handle = await mountPanel({
        root: this.#root,
        base: this.#server(),
        credentials: this.#credentials,
        memory: storage(),
        classroom: new HookedClassroom(() => this.#hooks()),
        page: false,
        inClass: this.hasAttribute("class-id") || this.hasAttribute("class-media") || Object.keys(this.#pageHooks).length > 0,
        locale: () => this.#locale(),
        child: () => this.#child(),
        context: () => this.#context(),
        kind: kind === "video" || kind === "chat" ? kind : "voice",
        queue: this.getAttribute("queue"),
        wantedAgent: this.getAttribute("wanted-agent"),
        openBrowser: null,
        onView: (view) => {
          if (view === "closed" || view === "small") this.#button.focus({ preventScroll: true });
          this.#emit(view === "open" ? "open" : "close", {});
        },
        onStatus: (status) => {
          this.#status = status;
          this.#draw();
        },
        onAlert: (alert, state) => this.#emit(alert, { call: state.call?.id ?? "", ticket: state.call?.ticket ?? "" }),
      });
      this.#button.classList.remove("loading");
      this.#handle = handle;
      return handle;
    });
    return this.#panel;
  }

  #hooks(): ClassHooks {
    const selector = this.getAttribute("class-media");
    return selector === null ? this.#pageHooks : { media: selector, ...this.#pageHooks };
  }

  #context(): Record<string, unknown> {
    const found: Record<string, unknown> = { page_url: location.origin + location.pathname };
    for (const name of ["class-id", "lesson-id", "lesson-starts-at", "lesson-ends-at", "app-version", "network"]) {
      const value = this.getAttribute(name);
      if (value !== null && value !== "") found[name.replaceAll("-", "_")] = value;
    }
    return { ...found, ...this.#pageContext };
  }

  #emit(name: HelpEvent, detail: HelpEventDetail): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(detail);
      } catch (error) {
        console.error("raisehand: a listener of the page failed", error);
      }
    }
    this.dispatchEvent(new CustomEvent(`raisehand-${name}`, { detail }));
  }
}

function handIcon(): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", HAND);
  svg.append(path);
  return svg;
}

function storage(): Memory | null {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

if (customElements.get(TAG) === undefined) customElements.define(TAG, RaisehandHelp);
