/** Which way out fits this browser when a device is refused or missing. */
export interface BrowserFacts {
  /** `wechat` and `app`: a web view inside an app, where devices often do not work. */
  readonly shell: "browser" | "wechat" | "app";
  readonly system: "ios" | "android" | "desktop";
  /** Short name for the agent's card. */
  readonly browser: string;
  readonly os: string;
  readonly device: string;
}

const WEB_VIEWS = /MicroMessenger|DingTalk|QQ\/|AlipayClient|Weibo|aweme|BytedanceWebview|Lark|Feishu|baiduboxapp|; wv\)|FBAN|FBAV|Instagram|Line\//i;

/** Reads the browser's own description; `touchPoints` tells an iPad that calls itself a Mac. */
export function browserFacts(userAgent: string, touchPoints = 0): BrowserFacts {
  const ios = /iPhone|iPad|iPod/.test(userAgent) || (userAgent.includes("Macintosh") && touchPoints > 1);
  const android = userAgent.includes("Android");
  const wechat = /MicroMessenger/i.test(userAgent);
  // A web view on iOS has no "Safari/" in its name, every browser has.
  const app = WEB_VIEWS.test(userAgent) || (ios && !userAgent.includes("Safari/"));
  const version = (pattern: RegExp): string => pattern.exec(userAgent)?.[1]?.replaceAll("_", ".") ?? "";
  const os = ios
    ? `iOS ${version(/OS (\d+[_.\d]*)/)}`
    : android
      ? `Android ${version(/Android (\d+[.\d]*)/)}`
      : userAgent.includes("Windows")
        ? "Windows"
        : userAgent.includes("Mac OS X")
          ? "macOS"
          : /Linux|X11/.test(userAgent)
            ? "Linux"
            : "";
  const named: [RegExp, string][] = [
    [/MicroMessenger\/(\d+[.\d]*)/, "WeChat"],
    [/DingTalk\/(\d+[.\d]*)/, "DingTalk"],
    [/Edg\w*\/(\d+)/, "Edge"],
    [/Firefox\/(\d+)/, "Firefox"],
    [/(?:Chrome|CriOS)\/(\d+)/, "Chrome"],
    [/Version\/(\d+[.\d]*).*Safari/, "Safari"],
  ];
  const found = named.find(([pattern]) => pattern.test(userAgent));
  return {
    shell: wechat ? "wechat" : app ? "app" : "browser",
    system: ios ? "ios" : android ? "android" : "desktop",
    browser: found === undefined ? "" : `${found[1]} ${version(found[0])}`.trim(),
    os: os.trim(),
    device: userAgent.includes("iPad") || (ios && userAgent.includes("Macintosh")) ? "tablet" : ios || userAgent.includes('Mobile') ? "phone" : "computer",
  };
}

/** Which of the catalogue's instructions fits: `teach.*`. */
export function teachingKey(facts: BrowserFacts): "teach.ios" | "teach.safari" | "teach.android" | "teach.webview" | "teach.desktop" {
  if (facts.system === "desktop") return "teach.desktop";
  if (facts.shell !== "browser") return facts.system === "ios" ? "teach.ios" : "teach.webview";
  if (facts.system === "android") return "teach.android";
  return facts.browser.startsWith("Safari") ? "teach.safari" : "teach.ios";
}
