import { ConnectionError, DisconnectReason } from "livekit-client";
import { describe, expect, it, vi } from "vitest";
import { MAXIMUM_CHAT_LENGTH, unreadCount, withMessage } from "../shared/call/chat";
import type { ChatMessage } from "../shared/call/model";
import { problemOfConnect, problemOfDevice, problemOfDisconnect, ProblemError } from "../shared/call/problem";
import { formatBitrate, formatDuration, formatPicture, formatRatio, initials, UNKNOWN } from "../shared/format";
import { bestGrid, chooseFocus, itemKey, type StageItem } from "../shared/layout";
import { DEFAULT_PREFERENCES, loadPreferences, savePreferences } from "../shared/preferences";
import { parseQuery, shareLink } from "../shared/query";
import { Store } from "../shared/store";
import { findTokenSource, readClaims, requestToken, signalUrl } from "../shared/token";

describe("format", () => {
  it("writes figures", () => {
    expect(formatBitrate(999_400)).toBe("999 kbit/s");
    expect(formatBitrate(999_600)).toBe("1.0 Mbit/s");
    expect(formatBitrate(null)).toBe(UNKNOWN);
    expect(formatRatio(0.0123)).toBe("1.2%");
    expect(formatRatio(0.3)).toBe("30%");
    expect(formatDuration(59.9)).toBe("0:59");
    expect(formatDuration(3661)).toBe("1:01:01");
    expect(formatPicture(640, 360, 29.97)).toBe("640×360 30 fps");
    expect(formatPicture(null, null, 30)).toBeNull();
  });

  it("shortens names", () => {
    expect(initials("王小明")).toBe("小明");
    expect(initials("amelia carter")).toBe("AC");
    expect(initials("noor")).toBe("N");
    expect(initials("👩‍🏫 teacher")).toBe("👩‍🏫T");
    expect(initials("  ")).toBe("?");
  });
});

describe("layout", () => {
  it("fills wide and tall rooms", () => {
    expect(bestGrid(1, 1300, 700)).toEqual({ columns: 1, rows: 1 });
    expect(bestGrid(2, 1300, 640)).toEqual({ columns: 2, rows: 1 });
    expect(bestGrid(2, 360, 640)).toEqual({ columns: 1, rows: 2 });
    expect(bestGrid(4, 1300, 640)).toEqual({ columns: 2, rows: 2 });
    expect(bestGrid(6, 360, 640)).toEqual({ columns: 2, rows: 3 });
    expect(bestGrid(9, 1300, 640)).toEqual({ columns: 3, rows: 3 });
    expect(bestGrid(3, 0, 0)).toEqual({ columns: 1, rows: 3 });
  });

  it("shows pins before screens, and a screen that was put back not again", () => {
    const item = (identity: string, source: StageItem["source"], isLocal = false): StageItem => ({ identity, source, isLocal });
    const items = [item("a", "screen"), item("a", "camera"), item("b", "screen"), item("me", "screen", true)];
    expect(chooseFocus(items, null, new Set())?.identity).toBe("b");
    expect(chooseFocus(items, "camera:a", new Set())).toBe(items[1]);
    expect(chooseFocus(items, "camera:gone", new Set(["screen:b"]))?.identity).toBe("a");
    expect(chooseFocus(items, null, new Set(items.map(itemKey)))).toBeNull();
  });
});

describe("store", () => {
  it("wakes listeners on change only, until they leave", () => {
    const store = new Store(1);
    const listener = vi.fn();
    const stop = store.subscribe(listener);
    store.set(1);
    store.update((value) => value + 1);
    stop();
    store.set(5);
    expect(listener).toHaveBeenCalledTimes(1);
    expect(store.get()).toBe(5);
  });
});

describe("chat", () => {
  const message = (id: string, isLocal = false, text = "x"): ChatMessage => ({ id, identity: "i", name: "n", isLocal, text, atMs: 0, failed: false });

  it("replaces by id, caps length and count", () => {
    let log = withMessage([], message("1"));
    log = withMessage(log, { ...message("1"), failed: true });
    expect(log).toHaveLength(1);
    expect(log[0]?.failed).toBe(true);
    expect(withMessage([], message("1", false, "y".repeat(9000)))[0]?.text).toHaveLength(MAXIMUM_CHAT_LENGTH + 1);
    for (let index = 0; index < 700; index++) log = withMessage(log, message(`m${index}`));
    expect(log).toHaveLength(500);
  });

  it("counts what others wrote since", () => {
    const log = [message("1"), message("2", true), message("3"), message("4")];
    expect(unreadCount(log, "1")).toBe(2);
    expect(unreadCount(log, null)).toBe(3);
    expect(unreadCount(log, "4")).toBe(0);
  });
});

describe("preferences", () => {
  const storage = (value: string | null) => ({ getItem: () => value, setItem: vi.fn() });

  it("survives damage and refusal", () => {
    for (const value of [null, "", "{", "null", "[]", '{"name":5,"theme":"pink","devices":[1]}']) {
      expect(loadPreferences(storage(value))).toEqual(DEFAULT_PREFERENCES);
    }
    expect(loadPreferences(null)).toEqual(DEFAULT_PREFERENCES);
    savePreferences({ getItem: () => null, setItem: () => { throw new Error("full"); } }, DEFAULT_PREFERENCES);
  });

  it("reads back what it wrote", () => {
    const kept = storage(null);
    const preferences = { ...DEFAULT_PREFERENCES, name: "王", theme: "dark" as const, camera: false, devices: { audioinput: "a" } };
    savePreferences(kept, preferences);
    expect(loadPreferences(storage(String(kept.setItem.mock.calls[0]?.[1])))).toEqual(preferences);
  });
});

describe("addresses", () => {
  it("reads the query; test options only with debug", () => {
    expect(parseQuery("?room=%20a%20&name=&lang=zh&token=t&codec=vp9&single=0")).toMatchObject({
      room: "a", name: null, locale: "zh-CN", token: "t", debug: false, codec: null, singlePeerConnection: true,
    });
    expect(parseQuery("?debug=1&codec=vp9&single=0&identity=x")).toMatchObject({
      debug: true, codec: "vp9", singlePeerConnection: false, identity: "x",
    });
    expect(parseQuery("?debug=1&codec=evil").codec).toBeNull();
  });

  it("shares the room alone", () => {
    expect(shareLink("https://h/p/?token=secret&name=n#x", "a b")).toBe("https://h/p/?room=a+b");
  });

  it("signals to the page's own origin", () => {
    expect(signalUrl("https://h:8443/?room=a")).toBe("wss://h:8443");
    expect(signalUrl("http://127.0.0.1:7880/index.html")).toBe("ws://127.0.0.1:7880");
    expect(signalUrl("https://h/raisehand/")).toBe("wss://h/raisehand");
  });
});

describe("tokens", () => {
  const answer = (status: number, body: unknown = {}) => vi.fn(() => Promise.resolve(new Response(JSON.stringify(body), { status })));
  const request = { room: "r", name: "n" };

  it("learns where tokens come from", async () => {
    await expect(findTokenSource("http://h/", answer(404))).resolves.toBe("paste");
    await expect(findTokenSource("http://h/", answer(405))).resolves.toBe("server");
    await expect(findTokenSource("http://h/", answer(200))).resolves.toBe("server");
    await expect(findTokenSource("http://h/", answer(502))).rejects.toMatchObject({ kind: "serverUnreachable" });
    await expect(findTokenSource("http://h/", () => Promise.reject(new TypeError("down")))).rejects.toMatchObject({ kind: "serverUnreachable" });
  });

  it("asks for a token and keeps to its own origin", async () => {
    const fetcher = answer(200, { token: "t", url: "wss://elsewhere", identity: "i" });
    await expect(requestToken("http://h/", request, fetcher)).resolves.toEqual({ url: "ws://h", token: "t" });
    await expect(requestToken("http://h/", request, answer(404))).rejects.toMatchObject({ kind: "tokenUnavailable" });
    await expect(requestToken("http://h/", request, answer(200, { token: 5 }))).rejects.toMatchObject({ kind: "tokenUnavailable" });
  });

  it("reads claims, in any script, and refuses rubbish", () => {
    const encode = (claims: unknown): string => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;
    expect(readClaims(encode({ sub: "u", name: "王小明", exp: 5, video: { room: "数学" } }))).toEqual({
      identity: "u", name: "王小明", room: "数学", expiresAtMs: 5000,
    });
    expect(readClaims(encode({ video: null }))).toEqual({ identity: null, name: null, room: null, expiresAtMs: null });
    for (const rubbish of ["", "a.b", "a.%%%.c", encode(null), encode(5)]) expect(readClaims(rubbish)).toBeNull();
  });
});

describe("problems", () => {
  it("names why a call ended", () => {
    expect(problemOfDisconnect(DisconnectReason.CLIENT_INITIATED)).toBeNull();
    expect(problemOfDisconnect(DisconnectReason.DUPLICATE_IDENTITY)).toBe("duplicateIdentity");
    expect(problemOfDisconnect(DisconnectReason.PARTICIPANT_REMOVED)).toBe("removed");
    expect(problemOfDisconnect(DisconnectReason.ROOM_DELETED)).toBe("roomDeleted");
    expect(problemOfDisconnect(DisconnectReason.SERVER_SHUTDOWN)).toBe("serverShutdown");
    expect(problemOfDisconnect(undefined)).toBe("connectionLost");
  });

  it("names why joining failed", () => {
    expect(problemOfConnect(ConnectionError.notAllowed("no", 401))).toBe("tokenInvalid");
    expect(problemOfConnect(ConnectionError.notAllowed("no", 404))).toBe("roomDeleted");
    expect(problemOfConnect(ConnectionError.serverUnreachable("no"))).toBe("serverUnreachable");
    expect(problemOfConnect(ConnectionError.internal("could not establish pc connection"))).toBe("mediaBlocked");
    expect(problemOfConnect(ConnectionError.internal("no", { status: 500 }))).toBe("serverUnreachable");
    expect(problemOfConnect(ConnectionError.leaveRequest("no", DisconnectReason.ROOM_DELETED))).toBe("roomDeleted");
    expect(problemOfConnect(ConnectionError.cancelled("no"))).toBeNull();
    expect(problemOfConnect(new ProblemError("tokenUnavailable"))).toBe("tokenUnavailable");
    expect(problemOfConnect(new Error("?"))).toBe("unexpected");
  });

  it("names why a device stayed shut", () => {
    const error = (name: string): Error => Object.assign(new Error(), { name });
    expect(problemOfDevice("microphone", error("NotAllowedError"))).toBe("microphoneDenied");
    expect(problemOfDevice("camera", error("NotFoundError"))).toBe("cameraMissing");
    expect(problemOfDevice("camera", error("NotReadableError"))).toBe("cameraBusy");
    expect(problemOfDevice("screen", error("NotAllowedError"))).toBeNull();
    expect(problemOfDevice("screen", error("NotReadableError"))).toBe("screenFailed");
  });
});
