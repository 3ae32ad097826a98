import { describe, expect, it } from "vitest";
import type { DeskEvent } from "../shared/api/events";
import { loadDraft, saveDraft } from "../shared/desk/draft";
import { classOf, factsOf, figuresOf, lessonMinutesLeft, triedSteps } from "../shared/desk/facts";
import { withPage } from "../shared/desk/history";
import { EMPTY_LINE, SHOWN_S, withReading } from "../shared/desk/line";
import { type Agent, type Call, type DeskState, EMPTY_DESK, type Engagement, type Message, type Offer } from "../shared/desk/model";
import { reduce, unread, withAgent, withAnswered, withCall, withMessages, withoutOffer, withoutUnsure } from "../shared/desk/reduce";

const ME = "chen";
const NOW = Date.parse("2026-11-21T12:00:00Z");

const agent = (version: number, engagements: Engagement[] = []): Agent => ({
  id: ME,
  name: "Chen",
  state: "available",
  reason: "",
  activity: "idle",
  queues: [],
  skills: {},
  languages: [],
  max_chats: 3,
  supervisor: false,
  routable: true,
  idle_since: null,
  engagements,
  version,
});
const engagement = (call: string, state: string): Engagement => ({ call, kind: "voice", role: "primary", state, since: "2026-11-21T12:00:00Z", until: null });
const call = (id: string, version: number, more: Partial<Call> = {}): Call =>
  ({ id, version, participants: [], student: null, context: null, ...more }) as unknown as Call;
const message = (id: string, at: string, author = "ann"): Message => ({
  id,
  author,
  role: "student",
  channel: "",
  at,
  text: id,
  files: [],
  staff_only: false,
  call: "c1",
});
const event = (type: string, data: Record<string, unknown>, more: Partial<DeskEvent> & { of?: unknown } = {}): DeskEvent =>
  ({ id: 1, type, at: "2026-11-21T12:00:00Z", call: "c1", data, ...more });
const agentEvent = (sequence: number, engagements: Engagement[]): DeskEvent =>
  event("agent.state", { state: "available", activity: "talking", engagements }, { call: null, of: { id: ME, sequence } });
const started = (): DeskState => withAgent(EMPTY_DESK, agent(1), ME)[0];
const apply = (state: DeskState, ...events: DeskEvent[]): DeskState =>
  events.reduce((now, each) => reduce(now, each, ME, NOW)[0], state);
const offer = (id: string): Offer => ({
  id,
  call: "c1",
  agent: ME,
  role: "primary",
  mode: "talk",
  state: "pending",
  created_at: "2026-11-21T11:59:00Z",
  deadline: "2026-11-21T11:59:20Z",
  note: "",
});

describe("my row", () => {
  it("decides which calls are mine, and asks for those that are not known", () => {
    const [state, wanted] = reduce(started(), agentEvent(2, [engagement("c1", "assigned"), engagement("c2", "offered")]), ME, NOW);
    expect(state.calls.map((each) => each.id)).toEqual(["c1"]);
    expect(wanted.calls).toEqual(["c1"]);
    expect(wanted.offers).toBe(true);
  });

  it("does not go back in time", () => {
    const state = apply(started(), agentEvent(5, [engagement("c1", "assigned")]));
    expect(apply(state, agentEvent(4, [])).calls).toHaveLength(1);
    expect(withAgent(state, agent(4), ME)[0].calls).toHaveLength(1);
    expect(withAgent(state, agent(6), ME)[0].calls).toHaveLength(0);
  });

  it("keeps what was answered until it is said, and lets go what is not ours after all", () => {
    const answered = withAnswered(started(), engagement("c1", "assigned"));
    const late = apply(answered, agentEvent(2, [engagement("c1", "offered")]));
    expect(late.calls).toMatchObject([{ id: "c1", sure: false }]);
    const said = apply(late, agentEvent(3, [engagement("c1", "assigned")]));
    expect(said.calls).toMatchObject([{ id: "c1", sure: true }]);
    expect(apply(said, agentEvent(4, [])).calls).toEqual([]);
    expect(withoutUnsure(answered, "c1").calls).toEqual([]);
    expect(withoutUnsure(said, "c1").calls).toHaveLength(1);
  });
});

describe("offers", () => {
  it("ring with the whole countdown, whatever this machine's clock says", () => {
    const [state, wanted] = reduce(started(), event("offer.created", { offer: offer("o1") }), ME, NOW);
    expect(state.ringing).toMatchObject([{ deadlineMs: NOW + 20_000, durationMs: 20_000, contacts: null }]);
    expect(wanted.offer?.id).toBe("o1");
    expect(reduce(state, event("offer.created", { offer: offer("o1") }), ME, NOW)[0].ringing).toHaveLength(1);
  });

  it("of others do not ring", () => {
    expect(apply(started(), event("offer.created", { offer: { ...offer("o1"), agent: "lin" } })).ringing).toEqual([]);
  });

  it("say what became of them, unless we did it", () => {
    const ringing = apply(started(), event("offer.created", { offer: offer("o1") }));
    expect(apply(ringing, event("offer.expired", { offer: "o1", agent: ME })).missed).toMatchObject({ why: "expired" });
    expect(apply(ringing, event("offer.withdrawn", { offer: "o1", agent: ME })).missed).toMatchObject({ why: "withdrawn" });
    expect(apply(ringing, event("offer.declined", { offer: "o1", agent: ME }))).toMatchObject({ missed: null, ringing: [] });
    expect(withoutOffer(ringing, "other", "expired")).toBe(ringing);
  });
});

describe("calls", () => {
  const mine = (): DeskState => apply(started(), agentEvent(2, [engagement("c1", "assigned")]));

  it("take newer forms only", () => {
    const state = withCall(withCall(mine(), call("c1", 7)), call("c1", 6));
    expect(state.calls[0]?.call?.version).toBe(7);
  });

  it("are read anew when something happened in them", () => {
    expect(reduce(mine(), event("call.held", {}), ME, NOW)[1].calls).toEqual(["c1"]);
    expect(reduce(mine(), event("call.held", {}, { call: "c9" }), ME, NOW)[1].calls).toEqual([]);
  });

  it("lose no message between reading and events, and double none", () => {
    const created = event("message.created", { message: "m2", author: "ann", author_role: "student", text: "m2" }, { at: "2026-11-21T12:00:02Z" });
    const early = apply(mine(), created);
    const read = withMessages(early, "c1", [message("m1", "2026-11-21T12:00:01Z"), message("m2", "2026-11-21T12:00:02Z")], true);
    expect(read.calls[0]).toMatchObject({ read: true, messages: [{ id: "m1" }, { id: "m2" }] });
    expect(withMessages(read, "c1", [message("m2", "2026-11-21T12:00:02Z")])).toBe(read);
  });

  it("count what is new", () => {
    const state = withMessages(mine(), "c1", [message("m1", "2026-11-21T12:00:01Z"), message("m2", "2026-11-21T12:00:02Z", ME), message("m3", "2026-11-21T12:00:03Z")], true);
    const first = state.calls[0];
    if (first === undefined) throw new Error("no call");
    expect(unread(first, ME)).toBe(2);
    expect(unread({ ...first, seen: "m1" }, ME)).toBe(1);
    expect(unread({ ...first, seen: "m3" }, ME)).toBe(0);
  });
});

describe("facts", () => {
  const context = (more: object): Pick<Call, "context"> => ({ context: more }) as Pick<Call, "context">;

  it("counts the lesson's minutes up, and never below zero", () => {
    expect(lessonMinutesLeft(context({ lesson_ends_at: "2026-11-21T12:16:01Z" }), NOW)).toBe(17);
    expect(lessonMinutesLeft(context({ lesson_ends_at: "2026-11-21T11:00:00Z" }), NOW)).toBe(0);
    expect(lessonMinutesLeft(context({ lesson_ends_at: null }), NOW)).toBeNull();
  });

  it("finds what was tried in whatever form it comes", () => {
    expect(triedSteps(context({ answers: { tried: ["a", "", 3] } }))).toEqual(["a", "3"]);
    expect(triedSteps(context({ answers: { tried: "a" } }))).toEqual(["a"]);
    expect(triedSteps(context({ answers: {} }))).toEqual([]);
  });

  it("shows any object as lines of text", () => {
    expect(factsOf({ loss: 0.1234, audio: { on: true }, list: [1, "x"], none: null })).toEqual([
      ["loss", "0.123"],
      ["audio.on", "true"],
      ["list", "1 · x"],
    ]);
  });

  it("gives what was measured its units", () => {
    const stats = { loss: 0.12, jitter_ms: 48.3, bitrate_bps: 1_250_000, frozen_s: 2.5, freezes: 3, audio: { loss: 0.031 }, log: ["x"] };
    expect(figuresOf(stats)).toEqual([
      ["loss", "12%"],
      ["jitter_ms", "48 ms"],
      ["bitrate_bps", "1.3 Mbit/s"],
      ["frozen_s", "2.5 s"],
      ["freezes", "3"],
      ["audio.loss", "3.1%"],
      ["log", "x"],
    ]);
  });

  it("names the class of the request, else the student's", () => {
    const student = { extra: { class_id: "301" } } as unknown as NonNullable<Call["student"]>;
    expect(classOf(call("c1", 1, { student, context: { class_id: "302" } as Call["context"] }))).toBe("302");
    expect(classOf(call("c1", 1, { student }))).toBe("301");
    expect(classOf(call("c1", 1))).toBe("");
  });
});

describe("history", () => {
  it("joins pages newest first, each contact once; what was said in a call counts with it", () => {
    const page = (calls: [string, string][], messages: Message[]): Parameters<typeof withPage>[1] =>
      ({ calls: calls.map(([id, created_at]) => call(id, 1, { created_at })), messages }) as Parameters<typeof withPage>[1];
    const wechat = { ...message("w1", "2026-11-20T12:00:00Z"), call: null };
    const one = withPage([], page([["c1", "2026-11-21T12:00:00Z"]], [message("m1", "2026-11-21T12:01:00Z"), wechat]));
    expect(one.map((each) => each.id)).toEqual(["c1", "w1"]);
    expect(one[0]).toMatchObject({ messages: 1 });
    const two = withPage(one, page([["c0", "2026-11-19T12:00:00Z"]], [wechat]));
    expect(two.map((each) => each.id)).toEqual(["c1", "w1", "c0"]);
  });
});

describe("line", () => {
  it("keeps two minutes of everybody who is there, and nobody who is none", () => {
    const direction = { jitter_ms: 1, loss: 0, bitrate_bps: 1000, round_trip_time_ms: 20, streams: [{ active: true }] };
    const reading = (...people: string[]): Parameters<typeof withReading>[1] =>
      ({ participants: people.map((identity) => ({ identity, uplink: direction, downlink: direction })) }) as unknown as Parameters<typeof withReading>[1];
    let state = withReading(EMPTY_LINE, reading("ann", "raisehand-music"), NOW);
    expect([...state.series.keys()]).toEqual(["ann"]);
    state = withReading(state, reading("ann"), NOW + SHOWN_S * 1000 + 1);
    expect(state.series.get("ann")).toHaveLength(1);
    expect(withReading(state, reading("lin"), NOW).series.has("ann")).toBe(false);
  });
});

describe("draft", () => {
  it("survives a reload, and damaged memory", () => {
    const kept = new Map<string, string>();
    const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
    saveDraft(storage, "c1", { notes: "n", codes: ["a"], resolved: false, diagnosis: "" });
    expect(loadDraft(storage, "c1")).toEqual({ notes: "n", codes: ["a"], resolved: false, diagnosis: "" });
    kept.set("raisehand.draft.c2", "{");
    expect(loadDraft(storage, "c2").notes).toBe("");
    expect(loadDraft(null, "c3").codes).toEqual([]);
  });
});
