import { isLocale, type Locale } from "./i18n";

/** What the page's address asks for. */
export interface PageQuery {
  room: string | null;
  name: string | null;
  locale: Locale | null;
  token: string | null;
  /** `join=1`: join without waiting for the button. */
  join: boolean;
  /** `debug=1`: `window.__raisehand` exists, and the options below are heeded. */
  debug: boolean;
  /** Debug only: `identity=`, `codec=`, `single=0`, `adaptive=0`, `dynacast=0`. */
  identity: string | null;
  codec: "vp8" | "vp9" | "h264" | "av1" | null;
  singlePeerConnection: boolean;
  adaptiveStream: boolean;
  dynacast: boolean;
}

const CODECS = ["vp8", "vp9", "h264", "av1"] as const;

/** Reads `?room=&name=&lang=&token=&join=&debug=`; unknown parameters are ignored. */
export function parseQuery(search: string): PageQuery {
  const query = new URLSearchParams(search);
  const text = (key: string): string | null => {
    const value = query.get(key)?.trim() ?? "";
    return value === "" ? null : value;
  };
  const debug = query.get("debug") === "1";
  const lang = text("lang");
  return {
    room: text("room"),
    name: text("name"),
    locale: lang === null ? null : isLocale(lang) ? lang : lang.toLowerCase().startsWith("zh") ? "zh-CN" : "en",
    token: text("token"),
    join: query.get("join") === "1",
    debug,
    identity: debug ? text("identity") : null,
    codec: debug ? (CODECS.find((codec) => codec === query.get("codec")) ?? null) : null,
    singlePeerConnection: !(debug && query.get("single") === "0"),
    adaptiveStream: !(debug && query.get("adaptive") === "0"),
    dynacast: !(debug && query.get("dynacast") === "0"),
  };
}

/** The address to give to others: the room, never a token or a name. */
export function shareLink(base: string, room: string): string {
  const url = new URL("./", base);
  url.search = new URLSearchParams({ room }).toString();
  url.hash = "";
  return url.toString();
}
