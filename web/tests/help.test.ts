import { describe, expect, it } from "vitest";
import type { DeskEvent } from "../shared/api/events";
import { readOpening, safeReturn, writeOpening } from "../help/address";
import { browserFacts, teachingKey } from "../shared/help/browser";
import { isChild, isMinor, readPlatformClaims } from "../shared/help/claims";
import { Credentials } from "../shared/help/credentials";
import { recall, remember, type Remembered, remembersCall } from "../shared/help/memory";
import { agentOf, type CallView, type HelpState, type Message, START } from "../shared/help/model";
import { type Action, phaseOf, reduce } from "../shared/help/reducer";
import { catalogues } from "../shared/i18n/student";
import { translate } from "../shared/i18n/student/translate";
import { aheadText, waitText } from "../widget/components/waitingPage";
import { callbackTimes } from "../widget/times";

const SELF = "student-1";

function call(change: Partial<CallView> = {}): CallView {
  return {
    id: "c1",
    ticket: "T-1",
    ticket_id: "t1",
    state: "queued",
    closed_reason: null,
    room: "c1",
    kind: "voice",
    queue: "technical",
    topic: "no_sound",
    severity: "class_stopping",
    channel: "widget",
    note: "",
    subject: { relation: "self", affected_count: 1 },
    created_at: "2026-11-21T11:00:00Z",
    accepted_at: null,
    connected_at: null,
    ended_at: null,
    closed_at: null,
    participants: [],
    consents: [],
    rating: null,
    callback: false,
    version: 1,
    ...change,
  } as CallView;
}

let lastId = 0;
function event(type: string, data: Record<string, unknown> = {}): Action {
  lastId += 1;
  const made: DeskEvent = { id: lastId, type, at: "2026-11-21T11:00:05Z", call: "c1", data };
  return { type: "event", event: made, self: SELF };
}

const place = { position: 3, estimated_wait_s: { low: 60, high: 240 }, advice: [], open: true, opens_at: null };
const play = (actions: Action[], from: HelpState = START): HelpState => actions.reduce(reduce, from);
const asked = (change: Partial<CallView> = {}): Action => ({ type: "asked", call: call(change), place, self: SELF });
const read = (change: Partial<CallView>): Action => ({ type: "read", call: call({ version: 9, ...change }), self: SELF });
const agent = { agent: { id: "chen", name: "陈老师" } };

describe("a request for help", () => {
  it("goes from the press to the rating", () => {
    let state = play([{ type: "asking", topic: "no_sound" }]);
    expect(state.phase).toBe("asking");
    state = play([asked()], state);
    expect([state.phase, state.place?.position, state.topic]).toEqual(["waiting", 3, "no_sound"]);
    state = play([event("call.position", { position: 1, estimated_wait_s: null })], state);
    expect(state.place?.position).toBe(1);
    state = play([event("call.accepted", agent)], state);
    expect([state.phase, agentOf(state.call)?.name]).toEqual(["connecting", "陈老师"]);
    state = play([event("call.connected", agent)], state);
    expect(state.phase).toBe("talking");
    state = play([event("call.held")], state);
    expect([state.phase, state.call?.state]).toEqual(["talking", "held"]);
    state = play([event("call.resumed"), event("call.ended", { reason: "completed" })], state);
    expect(state.phase).toBe("rating");
    state = play([{ type: "rating", draft: { stars: 4 } }, { type: "rated" }], state);
    expect([state.phase, state.rating.stars]).toEqual(["done", 4]);
  });

  it("takes no step back when answers and events overtake each other", () => {
    const accepted = { accepted_at: "2026-11-21T11:00:06Z", state: "connecting" } as const;
    // The answer had been given before the agent accepted.
    let state = play([asked(), event("call.accepted", agent), { type: "read", call: call({ state: "offered", version: 3 }), self: SELF }]);
    expect(state.phase).toBe("connecting");
    // The answer tells of the agent before the stream does.
    state = play([asked(), read(accepted), event("call.queued")]);
    expect(state.phase).toBe("connecting");
    state = play([read({ ...accepted, state: "active", connected_at: "2026-11-21T11:00:07Z", version: 10 }), event("call.accepted", agent)], state);
    expect(state.phase).toBe("talking");
  });

  it("goes back to the queue without a loss when the agent is cut off", () => {
    const state = play([asked(), event("call.accepted", agent), event("call.connected", agent), event("call.queued")]);
    expect([state.phase, state.again, state.call?.ticket]).toEqual(["waiting", "cutOff", "T-1"]);
  });

  it("ends where it was cancelled, called back, abandoned or broke", () => {
    const ended = (reason: string, before: Partial<CallView> = {}): string =>
      play([asked(before), event("call.ended", { reason })]).phase;
    expect(ended("cancelled")).toBe("start");
    expect(ended("callback")).toBe("callback");
    expect(ended("abandoned")).toBe("lost");
    expect(ended("failed")).toBe("lost");
    expect(ended("failed", { connected_at: "2026-11-21T11:00:01Z" })).toBe("rating");
  });

  it("takes a call over as it is after a reload, whatever its state", () => {
    for (const [state, phase] of [["queued", "waiting"], ["offered", "waiting"], ["connecting", "connecting"], ["active", "talking"], ["held", "talking"], ["wrapping", "rating"], ["closed", "rating"]] as const) {
      expect(play([read({ state })]).phase).toBe(phase);
    }
    expect(play([read({ state: "closed", rating: { stars: 5, resolved: true, comment: "", at: "" } })]).phase).toBe("done");
  });

  it("rings for a call-back and waits for the answer", () => {
    let state = play([read({ state: "queued", callback: true })]);
    expect(state.phase).toBe("callback");
    state = play([event("call.connected", agent), event("call.summoned", { until: "2026-11-21T11:02:00Z" })], state);
    expect(state.phase).toBe("summoned");
    state = play([read({ state: "active", callback: true })], state);
    expect(state.phase).toBe("summoned");
    state = play([{ type: "answered" }, { type: "media", media: "joining" }, read({ state: "active", callback: true })], state);
    expect(state.phase).toBe("talking");
  });

  it("lets no older answer undo a newer one", () => {
    const state = play([read({ state: "active", version: 9 }), { type: "read", call: call({ state: "queued", version: 3 }), self: SELF }]);
    expect(state.phase).toBe("talking");
  });

  it("lets a failed press be pressed again", () => {
    const state = play([{ type: "asking", topic: "general" }, { type: "problem", code: "unreachable" }]);
    expect([state.phase, state.problem]).toEqual(["start", "unreachable"]);
    expect(play([asked()], state).problem).toBeNull();
  });

  it("hears nothing of other calls", () => {
    const before = play([asked()]);
    const other: DeskEvent = { id: 99, type: "call.ended", at: "", call: "c2", data: { reason: "completed" } };
    expect(reduce(before, { type: "event", event: other, self: SELF })).toBe(before);
  });

  it("knows every state of a call", () => {
    expect(phaseOf(call({ state: "closed", closed_reason: "completed" }), "done")).toBe("done");
  });
});

describe("people, messages and consent", () => {
  const talking = play([asked(), event("call.accepted", agent), event("call.connected", agent)]);

  it("announces whoever comes later, not the agent that was waited for", () => {
    const first = play([event("participant.joined", { identity: "chen", name: "陈老师", kind: "agent" })], talking);
    expect(first.notice).toBeNull();
    const second = play([event("participant.joined", { identity: "lin", name: "林老师", kind: "agent" })], first);
    expect(second.notice).toEqual({ kind: "joined", name: "林老师" });
    expect(play([event("participant.left", { identity: "lin", name: "林老师", kind: "agent" })], second).notice).toEqual({ kind: "left", name: "林老师" });
    expect(play([event("transfer.completed", { agent: { id: "lin", name: "林老师" } })], second).call?.participants.find((each) => each.role === "primary")?.identity).toBe("lin");
  });

  it("says who is asked to help, and who goes on", () => {
    const asking = play([event("transfer.started", { kind: "warm", to: { id: "lin", name: "林老师" } })], talking);
    expect(asking.transfer).toEqual({ name: "林老师" });
    expect(play([event("transfer.failed")], asking).transfer).toBeNull();
    expect(play([event("transfer.started", { kind: "cold", to: { id: null, name: "" } })], talking).transfer).toEqual({ name: "" });
    const handedOver = play(
      [event("transfer.completed", { agent: { id: "lin", name: "林老师" } }), event("participant.left", { identity: "chen", name: "陈老师", kind: "agent" })],
      asking,
    );
    expect([handedOver.transfer, handedOver.notice, agentOf(handedOver.call)?.name]).toEqual([null, { kind: "taken", name: "林老师" }, "林老师"]);
  });

  it("tells a call that is handed over from one that was cut off", () => {
    const waits = play([event("call.queued", { reason: "transfer" }), read({ state: "queued", accepted_at: "2026-11-21T11:00:05Z" })], talking);
    expect([waits.phase, waits.again]).toEqual(["waiting", "transfer"]);
    expect(play([event("call.accepted", { agent: { id: "lin", name: "林老师" } })], waits).again).toBeNull();
  });

  it("knows since when the call is on hold", () => {
    const held = play([event("call.held"), read({ state: "held", accepted_at: "2026-11-21T11:00:05Z", connected_at: "2026-11-21T11:00:05Z" })], talking);
    expect(held.heldSince).toBe("2026-11-21T11:00:05Z");
    expect(play([event("call.resumed")], held).heldSince).toBeNull();
    expect(play([read({ state: "held" })]).heldSince).toBeNull();
  });

  it("counts what others wrote, once", () => {
    const written = event("message.created", { id: "m1", author: "chen", name: "陈老师", role: "agent", text: "您好", files: [] });
    const state = play([written, written], talking);
    expect([state.messages.length, state.unread, state.messages[0]?.name]).toEqual([1, 1, "陈老师"]);
    expect(play([{ type: "seen" }], state).unread).toBe(0);
  });

  it("shows an own message once, from the draft to the answer", () => {
    const draft: Message = { id: "draft-1", author: SELF, name: "", role: "student", own: true, text: "听不到", files: [], atMs: 1, state: "sending" };
    const echo = event("message.created", { id: "m2", author: SELF, role: "student", text: "听不到", files: [] });
    let state = play([{ type: "message", message: draft }, echo], talking);
    expect(state.messages.map((each) => each.id)).toEqual(["draft-1"]);
    state = play([{ type: "messageSent", id: "draft-1", message: { ...draft, id: "m2", state: "sent" } }], state);
    expect(state.messages.map((each) => [each.id, each.state])).toEqual([["m2", "sent"]]);
    state = play([{ type: "message", message: { ...draft, id: "draft-2" } }, { type: "messageFailed", id: "draft-2" }, { type: "messages", messages: [] }], state);
    expect(state.messages.map((each) => [each.id, each.state])).toEqual([["draft-2", "failed"]]);
  });

  it("takes an answer back at the second tap", () => {
    const once = play([{ type: "answer", question: "who", answer: "me" }]);
    expect(once.answers).toEqual({ who: "me" });
    expect(play([{ type: "answer", question: "who", answer: "me" }], once).answers).toEqual({});
  });

  it("learns what was decided about recording, on whatever device", () => {
    expect(play([event("consent.changed", { participant: SELF, decision: "granted", by: "guardian" })], talking).consent).toBe("granted");
    expect(play([event("consent.changed", { participant: "chen", decision: "granted" })], talking).consent).toBeNull();
  });
});

describe("what is said of waiting", () => {
  const adult = translate(catalogues["zh-CN"], false);
  const child = translate(catalogues["zh-CN"], true);

  it("gives a range that the queue can hold", () => {
    expect(aheadText(place, adult)).toBe("前面还有 2 位");
    expect(waitText(place, adult)).toBe("预计等 1–4 分钟");
    expect(waitText({ ...place, estimated_wait_s: { low: 0, high: 30 } }, adult)).toBe("预计一分钟以内");
    expect(waitText({ ...place, estimated_wait_s: { low: 20, high: 200 } }, adult)).toBe("预计 4 分钟以内");
    expect(waitText({ ...place, estimated_wait_s: null }, adult)).toContain("改为回电");
  });

  it("speaks to a child as to a child", () => {
    expect(aheadText({ ...place, position: 1 }, child)).toBe("下一个就是你");
    for (const [key, text] of Object.entries(catalogues["zh-CN"])) {
      if (key.endsWith(".child")) expect(text, key).not.toContain("您");
      // Wherever an adult is addressed on a page that children see, there is a variant for them.
      else if (text.includes("您") && /^(start|waiting|microphone|call|rating|callback)\./.test(key)) {
        expect(`${key}.child` in catalogues["zh-CN"], key).toBe(true);
      }
    }
  });

  it("offers times that lie ahead", () => {
    const now = new Date("2026-11-21T17:00:00");
    const times = callbackTimes(now, new Date(now.getTime() + 600_000).toISOString());
    expect(times.map((each) => each.key)).toEqual(["soon", "afterLesson", "in30", "tonight", "tomorrow"]);
    for (const { at } of times) if (at !== null) expect(at.getTime()).toBeGreaterThan(now.getTime());
    expect(callbackTimes(new Date("2026-11-21T21:00:00"), null).map((each) => each.key)).toEqual(["soon", "in30", "tomorrow"]);
  });
});

describe("tokens", () => {
  const token = (claims: unknown): string => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
  const claims = { sub: "s1", name: "小明", exp: 2_000_000_000, raisehand: { role: "student", profile: { age: 12, locale: "zh-CN" } } };

  it("says who it is, and nothing of what is no token", () => {
    const found = readPlatformClaims(token(claims));
    expect(found).toMatchObject({ id: "s1", name: "小明", age: 12, locale: "zh-CN", role: "student" });
    for (const wrong of ["", "a.b.c", "x", token([]), token({ sub: 3 }), "..", "e30.%.x"]) expect(readPlatformClaims(wrong)).toBeNull();
  });

  it("counts unknown age as minor, but speaks to it as to an adult", () => {
    const unknown = readPlatformClaims(token({ ...claims, raisehand: { role: "student" } }));
    expect(unknown !== null && isMinor(unknown) && !isChild(unknown)).toBe(true);
    const guest = (profile: object) => readPlatformClaims(token({ ...claims, raisehand: { role: "guest", call: "c1", profile } }));
    expect([guest({ adult: true }), guest({})].map((each) => each !== null && isMinor(each))).toEqual([false, true]);
  });

  it("is renewed before it ends, and once for many askers", async () => {
    let asked = 0;
    const credentials = new Credentials(token({ ...claims, exp: 100 }), () => Promise.resolve(token({ ...claims, exp: 200 + asked++ })), () => 90_000);
    const [one, two] = await Promise.all([credentials.fresh(), credentials.fresh()]);
    expect(one).toBe(two);
    expect(asked).toBe(1);
    await credentials.fresh();
    expect(asked).toBe(1);
    expect(await new Credentials("fixed", null).fresh()).toBe("fixed");
  });
});

describe("the whole page's address", () => {
  it("reads tokens, invitations and consent links, and writes them again", () => {
    const opening = readOpening("#token=a.b.c&return=https%3A%2F%2Fschool.example.org%2Fclass&lang=en&class=301");
    expect(opening).toMatchObject({ kind: "help", token: "a.b.c", returnTo: "https://school.example.org/class", language: "en", context: { class_id: "301" } });
    expect(opening === null ? null : readOpening(writeOpening(opening))).toEqual(opening);
    expect(readOpening("#invite=x")?.kind).toBe("guest");
    expect(readOpening("#consent=x")?.kind).toBe("guardian");
    expect(readOpening("#other=1")).toBeNull();
  });

  it("leads back to no address that could run here", () => {
    for (const bad of ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "data:text/html,x", "java\nscript:alert(1)", "/relative", "blob:https://a/b"]) {
      expect(safeReturn(bad), bad).toBeNull();
    }
    expect(safeReturn("schoolapp://class/301")).toBe("schoolapp://class/301");
  });
});

describe("what survives a reload", () => {
  const memory = (): Storage => {
    const kept = new Map<string, string>();
    return {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    } as Storage;
  };

  it("is the call and what was chosen, for the same person only", () => {
    const kept = memory();
    const what: Remembered = { self: "s1", call: "c1", musicMuted: true, consentRests: true, microphoneSkipped: false, view: "small", answers: { who: "me" } };
    remember(kept, what);
    expect(recall(kept, "s1")).toEqual(what);
    expect(recall(kept, "s2").call).toBeNull();
    expect(remembersCall(kept)).toBe(true);
    kept.setItem("raisehand.help", "{");
    expect(recall(kept, "s1").call).toBeNull();
    expect(remembersCall(kept)).toBe(false);
    expect(recall(null, "s1").call).toBeNull();
  });
});

describe("browsers", () => {
  it("recognises web views and gives advice that fits", () => {
    const wechat = browserFacts("Mozilla/5.0 (Linux; Android 11; M2004 Build; wv) AppleWebKit/537.36 Version/4.0 Chrome/107.0 Mobile Safari/537.36 MicroMessenger/8.0.31");
    expect([wechat.shell, wechat.system, wechat.device]).toEqual(["wechat", "android", "phone"]);
    const view = browserFacts("Mozilla/5.0 (iPhone; CPU iPhone OS 16_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148");
    expect([view.shell, teachingKey(view)]).toEqual(["app", "teach.ios"]);
    const safari = browserFacts("Mozilla/5.0 (iPhone; CPU iPhone OS 16_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.3 Mobile/15E148 Safari/604.1");
    expect([safari.shell, teachingKey(safari), safari.os]).toEqual(["browser", "teach.safari", "iOS 16.3"]);
    const desktop = browserFacts("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36");
    expect([desktop.shell, desktop.browser, teachingKey(desktop)]).toEqual(["browser", "Chrome 120", "teach.desktop"]);
  });
});
