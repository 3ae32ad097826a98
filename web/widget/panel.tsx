import { Component, type ComponentChildren, render } from "preact";
import { isChild, isMinor, readPlatformClaims } from "../shared/help/claims";
import { browserFacts } from "../shared/help/browser";
import { HelpController } from "../shared/help/controller";
import type { Classroom } from "../shared/help/classroom";
import type { Credentials } from "../shared/help/credentials";
import type { Memory } from "../shared/help/memory";
import { type HelpState, isOpen } from "../shared/help/model";
import type { CallContext, HelpAlert } from "../shared/help/options";
import type { HelpKind } from "../shared/help/topics";
import type { Catalogue, Locale } from "../shared/i18n";
import { loadCatalogue, type Keys, type Translate, translate } from "../shared/i18n/student/translate";
import { chime } from "./chime";
import { Frame, type View } from "./components/frame";
import { Buttons, Card } from "./components/parts";
import { aheadText } from "./components/waitingPage";
import { type Ambience, AmbienceContext } from "./context";
import type { Offset } from "./drag";
import guideStyles from "./guide/mirror.css?inline";
import callStyles from "./styles/call.css?inline";
import panelStyles from "./styles/panel.css?inline";
import { adoptStyles } from "./styling";

/** What the button shows while the panel is not open. */
export interface ButtonStatus {
  readonly text: string;
  readonly tone: "idle" | "waiting" | "live" | "ringing";
  readonly unread: number;
  /** The panel or its small window stands there instead. */
  readonly hidden: boolean;
}

export interface PanelOptions {
  readonly root: ShadowRoot;
  readonly base: string;
  readonly credentials: Credentials;
  readonly memory: Memory | null;
  readonly classroom: Classroom;
  readonly page: boolean;
  /** Of a guest by link: the call of the invitation. */
  readonly guestOf?: string;
  readonly inClass: boolean;
  readonly locale: () => Locale;
  /** null: as the token says. */
  readonly child: () => boolean | null;
  readonly context: () => CallContext;
  readonly kind: HelpKind;
  readonly queue: string | null;
  readonly wantedAgent: string | null;
  readonly openBrowser: (() => void) | null;
  readonly hint?: (t: Translate) => ComponentChildren;
  readonly returnLink?: (t: Translate) => ComponentChildren;
  readonly onView: (view: View) => void;
  readonly onStatus: (status: ButtonStatus) => void;
  readonly onAlert: (alert: HelpAlert, state: HelpState) => void;
}

export interface PanelHandle {
  readonly controller: HelpController;
  open(topic?: string): void;
  close(): void;
  /** Language or the like has changed. */
  refresh(): void;
  destroy(): void;
}

/** Puts the panel into a shadow root and brings it to life. */
export async function mountPanel(options: PanelOptions): Promise<PanelHandle> {
  adoptStyles(options.root, panelStyles, callStyles, guideStyles);
  const place = document.createElement("div");
  place.className = options.page ? "whole-page" : "place";
  options.root.append(place);

  let locale = options.locale();
  let catalogue: Catalogue<Keys> = await loadCatalogue(locale);
  let view: View = options.page ? "open" : "closed";
  const offset: Offset = { x: 0, y: 0 };
  const miniOffset: Offset = { x: 0, y: 0 };
  const facts = browserFacts(navigator.userAgent, navigator.maxTouchPoints);
  const controller = new HelpController({
    base: options.base,
    credentials: options.credentials,
    memory: options.memory,
    classroom: options.classroom,
    context: () => ({
      device: facts.device,
      os: facts.os,
      browser: facts.browser,
      network: (navigator as { connection?: { effectiveType?: string; type?: string } }).connection?.effectiveType ?? "",
      ...options.context(),
    }),
    queue: options.queue,
    wantedAgent: options.wantedAgent,
    channel: options.page ? "page" : "widget",
    guestOf: options.guestOf ?? null,
    kind: options.kind,
    musicMuted: options.inClass,
    devices: {},
    onAlert: (alert) => {
      const state = controller.state.get();
      if (alert === "accepted" || alert === "summoned") chime("up");
      else if (alert === "message" && (view !== "open" || document.hidden)) chime("soft");
      if ((alert === "accepted" || alert === "summoned") && view === "closed") setView("small");
      if (alert === "summoned" || alert === "ended") setView("open");
      options.onAlert(alert, state);
    },
  });

  const setView = (next: View): void => {
    const shown = options.page ? "open" : next === "closed" && isOpen(controller.state.get()) ? "small" : next;
    if (shown === view) return;
    view = shown;
    controller.view = view;
    if (view === "open") readTopics();
    draw();
    tell();
    options.onView(view);
  };

  let listed = Promise.resolve();
  /** Each opening shows what can be asked about now; nothing waits for it. */
  const readTopics = (): void => {
    if (options.guestOf === undefined) listed = controller.list.read();
  };

  const ambience = (): Ambience => {
    const claims = readPlatformClaims(options.credentials.current);
    const child = options.child() ?? (claims !== null && isChild(claims));
    return {
      t: translate(catalogue, child),
      locale,
      child,
      minor: claims === null || isMinor(claims),
      controller,
      page: options.page,
      inClass: options.inClass,
      lessonEndsAt: options.context().lesson_ends_at ?? null,
      openBrowser: options.openBrowser,
    };
  };

  const draw = (): void => {
    const value = ambience();
    place.lang = value.locale;
    render(
      <AmbienceContext.Provider value={value}>
        <Guarded t={value.t} onCrash={() => options.classroom.leave()}>
          <Frame
            view={view}
            offset={offset}
            miniOffset={miniOffset}
            onView={setView}
            hint={options.hint?.(value.t)}
            returnLink={options.returnLink?.(value.t)}
          />
        </Guarded>
      </AmbienceContext.Provider>,
      place,
    );
  };

  const tell = (): void => {
    options.onStatus(statusOf(controller.state.get(), view, ambience().t));
  };

  let phase = controller.state.get().phase;
  const unsubscribe = controller.state.subscribe(() => {
    const state = controller.state.get();
    if (state.phase !== phase) {
      phase = state.phase;
      if (!isOpen(state) && view === "small") setView("closed");
    }
    tell();
  });
  const onVisible = (): void => {
    if (!document.hidden) controller.wake();
  };
  const onOnline = (): void => controller.setOnline(true);
  const onOffline = (): void => controller.setOnline(false);
  document.addEventListener("visibilitychange", onVisible);
  window.addEventListener("online", onOnline);
  window.addEventListener("offline", onOffline);

  draw();
  if (view === "open") readTopics();
  const started = controller.start().then(() => {
    draw(); // Only now it is certain whose token it is.
    const remembered = controller.view;
    const state = controller.state.get();
    if (view === "closed" && (isOpen(state) || state.phase === "rating")) setView(remembered === "closed" ? "small" : remembered);
    if (state.phase === "rating" || state.phase === "summoned") setView("open");
  });

  return {
    controller,
    open: (topic) => {
      setView("open");
      if (topic === undefined) return;
      void Promise.all([started, controller.list.knows(topic) ? null : listed]).then(() => {
        if (controller.state.get().phase === "start" && controller.list.knows(topic)) void controller.asking.ask(topic);
      });
    },
    close: () => setView("closed"),
    refresh: () => {
      const wanted = options.locale();
      if (wanted === locale) {
        draw();
        tell();
        return;
      }
      locale = wanted;
      void loadCatalogue(wanted).then((loaded) => {
        if (locale !== wanted) return;
        catalogue = loaded;
        draw();
        tell();
      });
    },
    destroy: () => {
      unsubscribe();
      document.removeEventListener("visibilitychange", onVisible);
      window.removeEventListener("online", onOnline);
      window.removeEventListener("offline", onOffline);
      controller.close();
      render(null, place);
      place.remove();
    },
  };
}

function statusOf(state: HelpState, view: View, t: Translate): ButtonStatus {
  const talking = state.phase === "talking" || state.phase === "connecting";
  const hidden = view === "open" || (view === "small" && talking);
  const { unread } = state;
  if (state.phase === "waiting") {
    return { text: state.place === null ? t("button.waiting") : aheadText(state.place, t), tone: "waiting", unread, hidden };
  }
  if (state.phase === "summoned") return { text: t("button.callback"), tone: "ringing", unread, hidden };
  if (talking) return { text: t("button.talking"), tone: "live", unread, hidden };
  return { text: "", tone: "idle", unread: 0, hidden };
}

/** When drawing fails, the class is put back and a way to begin again is shown. */
class Guarded extends Component<{ t: Translate; onCrash: () => void; children: ComponentChildren }, { failed: boolean }> {
  override state = { failed: false };

  override componentDidCatch(error: unknown): void {
    console.error("raisehand: the panel failed", error);
    this.props.onCrash();
    this.setState({ failed: true });
  }

  render(): ComponentChildren {
    const { t, children } = this.props;
    if (!this.state.failed) return children;
    return (
      <div class="panel" role="dialog" aria-label={t("panel.label")}>
        <div class="body">
          <Card tone="warning" name="crashed">
            <p role="alert">{t("problem.crashed")}</p>
            <Buttons>
              <button type="button" class="button primary" onClick={() => this.setState({ failed: false })}>
                {t("problem.reload")}
              </button>
            </Buttons>
          </Card>
        </div>
      </div>
    );
  }
}
