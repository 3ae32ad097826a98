import { render } from "preact";
import { useState } from "preact/hooks";
import { CloseIcon } from "../playground/icons";
import { browserFacts } from "../shared/help/browser";
import { isChild, readPlatformClaims } from "../shared/help/claims";
import { NO_CLASSROOM } from "../shared/help/classroom";
import { Credentials } from "../shared/help/credentials";
import { isLocale, type Locale, preferredLocale } from "../shared/i18n";
import { loadCatalogue, type Translate, translate } from "../shared/i18n/student/translate";
import { Store } from "../shared/store";
import { Buttons, Card, copyText } from "../widget/components/parts";
import { useStore } from "../widget/context";
import guideStyles from "../widget/guide/mirror.css?inline";
import { mountPanel } from "../widget/panel";
import buttonStyles from "../widget/styles/button.css?inline";
import callStyles from "../widget/styles/call.css?inline";
import panelStyles from "../widget/styles/panel.css?inline";
import { adoptStyles } from "../widget/styling";
import { type Opening, readOpening, writeOpening } from "./address";
import { GuardianPage } from "./guardian";
import "./page.css";

/** The server: one directory above this page. */
const SERVER = new URL("..", document.baseURI).href;
const KEPT = "raisehand.opening";
/** How long the token stands in the address again, for a web view's "open in browser", in milliseconds. */
const SHOWN_MS = 60_000;

function storage(): Storage | null {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

/** Takes the token out of the address at once; a reload finds it in this tab's storage. */
function takeOpening(): Opening | null {
  const given = readOpening(location.hash);
  if (given !== null) {
    try {
      storage()?.setItem(KEPT, JSON.stringify(given));
    } catch {
      // Then a reload has to come from the class again.
    }
    history.replaceState(null, "", location.pathname + location.search);
    return given;
  }
  try {
    return JSON.parse(storage()?.getItem(KEPT) ?? "null") as Opening | null;
  } catch {
    return null;
  }
}

function localeOf(opening: Opening | null): Locale {
  const asked = opening?.language ?? new URLSearchParams(location.search).get("lang");
  if (isLocale(asked)) return asked;
  const said = readPlatformClaims(opening?.token ?? "")?.locale ?? "";
  return preferredLocale([asked ?? "", said, ...navigator.languages].filter((each) => each !== ""));
}

/** Says that a web view may not do, and how to get out of it. */
function WebViewHint({ t, copied }: { t: Translate; copied: Store<boolean> }) {
  const [hidden, setHidden] = useState(false);
  const done = useStore(copied);
  const { shell } = browserFacts(navigator.userAgent, navigator.maxTouchPoints);
  if (hidden || shell === "browser") return null;
  return (
    <div class="page-hint" data-hint={shell}>
      <p>{done ? t("page.linkCopied") : t(shell === "wechat" ? "page.webviewWechat" : "page.webview")}</p>
      <button type="button" class="button" data-action="open-browser" onClick={leaveWebView}>
        {t("page.copyLink")}
      </button>
      <button type="button" class="icon-button" aria-label={t("page.hideHint")} onClick={() => setHidden(true)}>
        <CloseIcon />
      </button>
    </div>
  );
}

const copied = new Store(false);
const opening = takeOpening();

/** Copies a link that works in a real browser, and puts it into the address for the web view's own menu, for a moment. */
function leaveWebView(): void {
  if (opening === null) return;
  const link = location.origin + location.pathname + writeOpening(opening);
  history.replaceState(null, "", link);
  setTimeout(() => history.replaceState(null, "", location.pathname + location.search), SHOWN_MS);
  void copyText(link).then((done) => copied.set(done));
}

function NoToken({ t }: { t: Translate }) {
  return (
    <div class="panel whole" role="main">
      <div class="body">
        <div class="page" data-page="no-token">
          <Card tone="warning" name="problem">
            <p role="alert">{t("problem.noToken")}</p>
            <Buttons>
              <button type="button" class="button primary" onClick={() => location.reload()}>
                {t("problem.retry")}
              </button>
            </Buttons>
          </Card>
        </div>
      </div>
    </div>
  );
}

async function begin(place: HTMLElement): Promise<void> {
  const locale = localeOf(opening);
  const claims = readPlatformClaims(opening?.token ?? "");
  const t = translate(await loadCatalogue(locale), claims !== null && isChild(claims));
  document.documentElement.lang = locale;
  document.title = t("page.title");
  if (opening?.theme === "light" || opening?.theme === "dark") place.setAttribute("theme", opening.theme);
  const root = place.attachShadow({ mode: "open" });
  adoptStyles(root, buttonStyles);

  if (opening === null || claims === null || opening.kind === "guardian") {
    adoptStyles(root, panelStyles, callStyles, guideStyles);
    const page = document.createElement("div");
    page.className = "whole-page";
    root.append(page);
    const guardian = opening !== null && claims !== null;
    render(guardian ? <GuardianPage base={SERVER} token={opening.token} claims={claims} t={t} /> : <NoToken t={t} />, page);
    return;
  }

  const { shell } = browserFacts(navigator.userAgent, navigator.maxTouchPoints);
  const { returnTo } = opening;
  const panel = await mountPanel({
    root,
    base: SERVER,
    credentials: new Credentials(opening.token, null),
    memory: storage(),
    classroom: NO_CLASSROOM,
    page: true,
    ...(opening.kind === "guest" ? { guestOf: claims.call } : {}),
    inClass: false,
    locale: () => locale,
    child: () => null,
    context: () => ({ ...opening.context, page_url: location.origin + location.pathname }),
    kind: "voice",
    queue: null,
    wantedAgent: null,
    openBrowser: shell === "browser" ? null : leaveWebView,
    hint: (speak) => <WebViewHint t={speak} copied={copied} />,
    ...(returnTo === null
      ? {}
      : {
          returnLink: (speak: Translate) => (
            <a class="return" href={returnTo} rel="noreferrer" target="_top">
              {speak("page.return")}
            </a>
          ),
        }),
    onView: () => undefined,
    onStatus: () => undefined,
    onAlert: () => undefined,
  });
  if (opening.topic !== null) panel.open(opening.topic);
}

const place = document.getElementById("app");
if (place !== null) void begin(place);
