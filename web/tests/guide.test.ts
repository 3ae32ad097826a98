import { describe, expect, it, vi } from "vitest";
import { letterbox, pictureAround, quantised, STEPS, toPicture } from "../shared/guide/geometry";
import { Guide, type GuideChannel, type GuideListener } from "../shared/guide/guide";
import { BOARDS, keyOf, MARKS_PER_AUTHOR, POINTER_MS, POINTS_PER_MARK, surfaceOf } from "../shared/guide/model";
import { encode, type GuideMark, type GuideMessage, marksMessages, MESSAGE_BYTES, parse, STILL_BYTES } from "../shared/guide/wire";

const SCREEN = { owner: "student-1", source: "screen" } as const;
const KEY = keyOf(SCREEN);
const at = (x: number, y: number) => ({ x, y });

/** A room in memory: what one sends the others get, in order and at once, unless it is lossy and `loses` says so. */
class MemoryRoom {
  readonly members = new Map<string, { listener: GuideListener; mayDraw: boolean }>();
  loses = false;
  sent: { from: string; reliable: boolean; bytes: number }[] = [];

  channel(identity: string, mayDraw: boolean): GuideChannel {
    return {
      identity,
      has: () => true,
      send: (packet, reliable, to) => {
        this.sent.push({ from: identity, reliable, bytes: packet.byteLength });
        if (!reliable && this.loses) return;
        for (const [name, member] of this.members) {
          if (name === identity || (to !== undefined && !to.includes(name))) continue;
          member.listener.packet(packet, { identity, mayDraw });
        }
      },
      listen: (listener) => {
        this.members.set(identity, { listener, mayDraw });
        return () => void this.members.delete(identity);
      },
    };
  }

  leave(identity: string): void {
    this.members.delete(identity);
    for (const member of this.members.values()) member.listener.left(identity);
  }

  hostile(identity: string, message: unknown, mayDraw = false): void {
    const packet = typeof message === "string" ? message : JSON.stringify(message);
    for (const [name, member] of this.members) {
      if (name !== identity) member.listener.packet(new TextEncoder().encode(packet), { identity, mayDraw });
    }
  }
}

function pair(now = { ms: 0 }) {
  const room = new MemoryRoom();
  const clock = () => now.ms;
  const student = new Guide(room.channel("student-1", false), { draws: false, now: clock });
  const agent = new Guide(room.channel("chen", true), { draws: true, now: clock });
  return { room, student, agent, now };
}

describe("geometry", () => {
  it("puts bars where the box has other proportions", () => {
    expect(letterbox({ width: 1920, height: 1080 }, { width: 960, height: 960 })).toEqual({
      left: 0, top: 210, width: 960, height: 540,
    });
    expect(letterbox({ width: 0, height: 1080 }, { width: 960, height: 960 })).toBeNull();
  });

  it("knows a click in the bars from one in the picture", () => {
    const picture = letterbox({ width: 1600, height: 900 }, { width: 800, height: 800 });
    if (picture === null) throw new Error("no picture");
    expect(toPicture({ left: 400, top: 400 }, picture)).toEqual(at(0.5, 0.5));
    expect(toPicture({ left: 400, top: 10 }, picture)).toBeNull();
  });

  it("is at the same place at any size", () => {
    const picture = { width: 1366, height: 768 };
    const point = at(0.123, 0.877);
    const places = [{ width: 300, height: 500 }, { width: 2560, height: 1440 }].map((box) => {
      const rect = letterbox(picture, box);
      if (rect === null) throw new Error("no picture");
      return toPicture({ left: rect.left + point.x * rect.width, top: rect.top + point.y * rect.height }, rect);
    });
    for (const place of places) {
      expect(place?.x).toBeCloseTo(point.x, 9);
      expect(place?.y).toBeCloseTo(point.y, 9);
    }
  });

  it("finds the page inside a captured picture with bars", () => {
    // A page of 1000 x 500 in a picture of 1000 x 1000: bars of 250 above and below.
    expect(pictureAround({ width: 1000, height: 500 }, { width: 1000, height: 1000 })).toEqual({
      left: -0, top: -250, width: 1000, height: 1000,
    });
  });

  it("is at most half a step off on the wire", () => {
    for (let step = 0; step < 500; step++) {
      const point = at(Math.random(), Math.random());
      expect(Math.abs(quantised(point).x - point.x)).toBeLessThanOrEqual(0.5 / STEPS + 1e-12);
    }
    expect(quantised(at(Number.NaN, 7))).toEqual(at(0, 1));
  });
});

describe("wire", () => {
  const marks: GuideMark[] = [
    { id: "a-1", kind: "pen", colour: 0, points: [at(0, 0), at(1, 1)].map(quantised), text: "" },
    { id: "a-2", kind: "text", colour: 5, points: [quantised(at(0.5, 0.25))], text: "<b>点这里</b>" },
  ];
  const messages: GuideMessage[] = [
    { t: "point", s: KEY, n: 1, at: quantised(at(0.3, 0.7)) },
    { t: "point", s: KEY, n: 2, at: null },
    { t: "marks", s: KEY, marks },
    { t: "more", s: KEY, id: "a-1", from: 2, points: [quantised(at(0.1, 0.2))] },
    { t: "erase", s: KEY, ids: ["a-1"] },
    { t: "clear", s: KEY },
    { t: "freeze", s: KEY, on: true },
    { t: "still", s: KEY, n: 0, of: 2, piece: new Uint8Array([0, 1, 254, 255]) },
    { t: "reset" },
    { t: "hello" },
    { t: "shown", s: KEY, where: "page", covered: 3 },
  ];

  it.each(messages)("carries $t there and back", (message) => {
    expect(parse(encode(message))).toEqual(message);
  });

  it("takes 100 bytes for a pointer", () => {
    expect(encode({ t: "point", s: KEY, n: 100_000, at: quantised(at(0.99, 0.99)) }).byteLength).toBeLessThan(100);
  });

  it("splits long lines and many marks into packets that are small enough", () => {
    const long: GuideMark = {
      id: "a-3", kind: "pen", colour: 1, text: "",
      points: Array.from({ length: POINTS_PER_MARK }, (_, index) => quantised(at(index / POINTS_PER_MARK, Math.random()))),
    };
    const many = Array.from({ length: 150 }, (_, index): GuideMark => ({
      id: `t-${index}`, kind: "text", colour: 5, points: [quantised(at(0.5, 0.25))], text: "好".repeat(200),
    }));
    const packets = marksMessages(KEY, [long, ...many, long]).map(encode);
    let points = 0;
    for (const packet of packets) {
      expect(packet.byteLength).toBeLessThanOrEqual(MESSAGE_BYTES);
      const message = parse(packet);
      expect(message).not.toBeNull();
      if (message?.t === "more") points += message.points.length;
      if (message?.t === "marks") points += message.marks.reduce((sum, each) => sum + (each.kind === "pen" ? each.points.length : 0), 0);
    }
    expect(points).toBe(2 * POINTS_PER_MARK);
  });

  it.each([
    ["not JSON", "{"],
    ["nothing", "null"],
    ["a list", "[]"],
    ["another version", { v: 2, t: "hello" }],
    ["an unknown kind", { v: 1, t: "explode", s: KEY }],
    ["no surface", { v: 1, t: "clear" }],
    ["a surface without owner", { v: 1, t: "clear", s: "screen:" }],
    ["a surface that is none", { v: 1, t: "clear", s: "window:student-1" }],
    ["a long surface", { v: 1, t: "clear", s: `screen:${"x".repeat(500)}` }],
    ["a pointer far away", { v: 1, t: "point", s: KEY, n: 1, at: [65_536, 0] }],
    ["a pointer below nothing", { v: 1, t: "point", s: KEY, n: 1, at: [-1, 0] }],
    ["a pointer between steps", { v: 1, t: "point", s: KEY, n: 1, at: [0.5, 0] }],
    ["a pointer without number", { v: 1, t: "point", s: KEY, at: [0, 0] }],
    ["a pointer of words", { v: 1, t: "point", s: KEY, n: 1, at: ["0", "0"] }],
    ["a NaN", '{"v":1,"t":"point","s":"screen:student-1","n":1,"at":[NaN,0]}'],
    ["half a point", { v: 1, t: "more", s: KEY, id: "a", from: 0, points: [1] }],
    ["no points", { v: 1, t: "more", s: KEY, id: "a", from: 0, points: [] }],
    ["an id with markup", { v: 1, t: "erase", s: KEY, ids: ["<img>"] }],
    ["too many ids", { v: 1, t: "erase", s: KEY, ids: Array.from({ length: 1000 }, () => "a") }],
    ["a colour there is none of", { v: 1, t: "marks", s: KEY, marks: [{ id: "a", kind: "box", colour: 6, points: [0, 0, 1, 1] }] }],
    ["a box with one corner", { v: 1, t: "marks", s: KEY, marks: [{ id: "a", kind: "box", colour: 0, points: [0, 0] }] }],
    ["a text without text", { v: 1, t: "marks", s: KEY, marks: [{ id: "a", kind: "text", colour: 0, points: [0, 0], text: " " }] }],
    ["a long text", { v: 1, t: "marks", s: KEY, marks: [{ id: "a", kind: "text", colour: 0, points: [0, 0], text: "x".repeat(201) }] }],
    ["a polluted mark", '{"v":1,"t":"marks","s":"screen:student-1","marks":[{"__proto__":{"id":"a"}}]}'],
    ["too many bytes", `{"v":1,"t":"clear","s":"${KEY}"}${" ".repeat(MESSAGE_BYTES)}`],
    ["a piece beyond the last", { v: 1, t: "still", s: KEY, n: 2, of: 2, piece: "AAAA" }],
    ["a still in too many pieces", { v: 1, t: "still", s: KEY, n: 0, of: 41, piece: "AAAA" }],
    ["a piece that is no base64", { v: 1, t: "still", s: KEY, n: 0, of: 1, piece: "*" }],
    ["no pieces at all", { v: 1, t: "still", s: KEY, n: 0, of: 0, piece: "AAAA" }],
    ["a string for a flag", { v: 1, t: "freeze", s: KEY, on: "yes" }],
    ["a place there is none of", { v: 1, t: "shown", s: KEY, where: "everywhere", covered: 0 }],
  ])("refuses %s", (_what, message) => {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    expect(parse(new TextEncoder().encode(text))).toBeNull();
  });

  it("refuses bytes that are no text", () => {
    expect(parse(new Uint8Array([0xff, 0xfe, 0x00]))).toBeNull();
  });

  it("never throws, whatever is changed in a good packet", () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
    for (let turn = 0; turn < 20_000; turn++) {
      const packet = encode(messages[random(messages.length)] ?? { t: "hello" }).slice();
      for (let change = 0; change <= random(4); change++) packet[random(packet.length)] = random(256);
      parse(packet);
    }
  });
});

describe("guide", () => {
  it("shows the student what the agent draws", () => {
    const { student, agent } = pair();
    const stroke = agent.begin(SCREEN, "pen", 2, at(0.1, 0.1));
    for (let step = 1; step <= 10; step++) stroke?.extend(at(0.1 + step * 0.05, 0.1));
    stroke?.end();
    const arrow = agent.begin(SCREEN, "arrow", 0, at(0, 0));
    arrow?.extend(at(0.5, 0.5));
    arrow?.end();
    agent.write(SCREEN, 1, at(0.2, 0.2), "  点这里 ");
    expect(student.board(SCREEN)).toEqual(agent.board(SCREEN));
    expect(student.board(SCREEN).marks.map((mark) => [mark.kind, mark.author, mark.points.length])).toEqual([
      ["pen", "chen", 11], ["arrow", "chen", 2], ["text", "chen", 1],
    ]);
    expect(student.board(SCREEN).marks[2]?.text).toBe("点这里");
  });

  it("sends a growing line in small steps", () => {
    vi.useFakeTimers();
    try {
      const { student, agent, room } = pair();
      const stroke = agent.begin(SCREEN, "pen", 0, at(0, 0));
      for (let step = 1; step <= 200; step++) {
        stroke?.extend(at(step / 200, 0.5));
        vi.advanceTimersByTime(4);
      }
      stroke?.end();
      expect(student.board(SCREEN)).toEqual(agent.board(SCREEN));
      const packets = room.sent.filter((each) => each.from === "chen" && each.bytes > 40);
      expect(packets.length).toBeLessThan(35);
      expect(Math.max(...packets.map((each) => each.bytes))).toBeLessThan(400);
    } finally {
      vi.useRealTimers();
    }
  });

  it("takes back, wipes, freezes", () => {
    const { student, agent } = pair();
    agent.write(SCREEN, 0, at(0.1, 0.1), "one");
    agent.write(SCREEN, 0, at(0.1, 0.2), "two");
    expect(agent.undo(SCREEN)).toBe(true);
    expect(student.board(SCREEN).marks.map((mark) => mark.text)).toEqual(["one"]);
    agent.clear(SCREEN);
    expect(student.board(SCREEN).marks).toEqual([]);
    expect(agent.undo(SCREEN)).toBe(false);
    agent.freeze(SCREEN, true);
    expect(student.board(SCREEN).frozenBy).toBe("chen");
    student.thaw(SCREEN);
    expect(agent.board(SCREEN).frozenBy).toBeNull();
  });

  it("shows everybody the very frame that is held", () => {
    const { room, student, agent } = pair();
    const still = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
    agent.showStill(SCREEN, still);
    expect(agent.board(SCREEN).still).toBeNull(); // nothing is held
    agent.freeze(SCREEN, true);
    expect([student.board(SCREEN).frozenBy, student.board(SCREEN).still]).toEqual(["chen", null]);
    agent.showStill(SCREEN, still);
    expect(student.board(SCREEN).still).toEqual(still);
    expect(Math.max(...room.sent.map((each) => each.bytes))).toBeLessThan(MESSAGE_BYTES);
    const late = new Guide(room.channel("lin", true), { draws: true });
    expect(late.board(SCREEN).still).toEqual(still);
    agent.freeze(SCREEN, false);
    expect([student.board(SCREEN).still, late.board(SCREEN).still]).toEqual([null, null]);
  });

  it("takes no still from who holds nothing, in the wrong order, or too large", () => {
    const { room, student, agent } = pair();
    const piece = btoa("picture");
    agent.freeze(SCREEN, true);
    room.hostile("lin", { v: 1, t: "still", s: KEY, n: 0, of: 1, piece }, true);
    room.hostile("chen", { v: 1, t: "still", s: KEY, n: 1, of: 2, piece }, true);
    room.hostile("chen", { v: 1, t: "still", s: KEY, n: 0, of: 2, piece }, true);
    room.hostile("chen", { v: 1, t: "still", s: KEY, n: 0, of: 2, piece }, true);
    expect(student.board(SCREEN).still).toBeNull();
    agent.showStill(SCREEN, new Uint8Array(STILL_BYTES + 1));
    expect(student.board(SCREEN).still).toBeNull();
    room.hostile("chen", { v: 1, t: "still", s: KEY, n: 1, of: 2, piece }, true);
    expect(new TextDecoder().decode(student.board(SCREEN).still ?? new Uint8Array())).toBe("picturepicture");
  });

  it("forgets a box that was only a click", () => {
    const { student, agent } = pair();
    agent.begin(SCREEN, "box", 0, at(0.5, 0.5))?.end();
    expect(student.board(SCREEN).marks).toEqual([]);
    expect(agent.canUndo(SCREEN)).toBe(false);
  });

  it("tells a late joiner everything, and nobody twice", () => {
    const { room, agent } = pair();
    const stroke = agent.begin(SCREEN, "pen", 0, at(0, 0));
    for (let step = 1; step < POINTS_PER_MARK; step++) stroke?.extend(at((step * 7919 % 1000) / 1000, (step % 97) / 97));
    stroke?.end();
    agent.write(SCREEN, 0, at(0.5, 0.5), "here");
    agent.freeze(SCREEN, true);
    const specialist = new Guide(room.channel("lin", true), { draws: true });
    expect(specialist.board(SCREEN)).toEqual(agent.board(SCREEN));
    expect(specialist.board(SCREEN).marks[0]?.points.length).toBe(POINTS_PER_MARK);
  });

  it("loses what belongs to an agent who has left", () => {
    const { room, student, agent } = pair();
    const specialist = new Guide(room.channel("lin", true), { draws: true });
    agent.write(SCREEN, 0, at(0, 0), "chen");
    specialist.write(SCREEN, 0, at(0, 0), "lin");
    agent.freeze(SCREEN, true);
    room.leave("chen");
    expect(student.board(SCREEN).marks.map((mark) => mark.text)).toEqual(["lin"]);
    expect(student.board(SCREEN).frozenBy).toBeNull();
  });

  it("brings an agent's marks back after a reload", () => {
    const { room, student } = pair();
    let kept: string | null = null;
    const memory = { load: () => kept, save: (text: string) => void (kept = text) };
    const before = new Guide(room.channel("zhao", true), { draws: true, memory });
    before.write(SCREEN, 3, at(0.4, 0.4), "still here");
    room.leave("zhao");
    expect(student.board(SCREEN).marks).toEqual([]);
    const after = new Guide(room.channel("zhao", true), { draws: true, memory });
    expect(student.board(SCREEN).marks.map((mark) => mark.text)).toEqual(["still here"]);
    expect(after.canUndo(SCREEN)).toBe(true);
  });

  it("is the same for all after two have drawn and wiped at once", () => {
    const { room, student, agent } = pair();
    const specialist = new Guide(room.channel("lin", true), { draws: true });
    const stroke = agent.begin(SCREEN, "pen", 0, at(0, 0));
    stroke?.extend(at(0.5, 0.5));
    specialist.clear(SCREEN);
    stroke?.extend(at(0.6, 0.5));
    stroke?.end();
    for (const guide of [student, specialist]) expect(guide.board(SCREEN)).toEqual(agent.board(SCREEN));
    expect(student.board(SCREEN).marks[0]?.points.length).toBe(3);
  });

  it("moves the laser pointer, in spite of loss and disorder, and puts it out", () => {
    vi.useFakeTimers();
    try {
      const { room, student, agent, now } = pair();
      agent.point(SCREEN, at(0.5, 0.5));
      now.ms += 20;
      agent.point(SCREEN, at(0.6, 0.5));
      expect(student.pointers.get().get(KEY)?.[0]?.point.x).toBeCloseTo(0.6, 4);
      room.hostile("chen", { v: 1, t: "point", s: KEY, n: 1, at: [0, 0] }, true); // comes late
      expect(student.pointers.get().get(KEY)?.[0]?.point.x).toBeCloseTo(0.6, 4);
      room.loses = true;
      agent.point(SCREEN, null);
      expect(student.pointers.get().size).toBe(1);
      now.ms += POINTER_MS + 1000;
      vi.advanceTimersByTime(POINTER_MS + 1000);
      expect(student.pointers.get().size).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("sends no more pointers than there are frames", () => {
    const { room, agent, now } = pair();
    for (let ms = 0; ms < 1000; ms++) {
      now.ms = ms;
      agent.point(SCREEN, at(ms / 1000, 0.5));
    }
    agent.close();
    expect(room.sent.filter((each) => !each.reliable).length).toBeLessThanOrEqual(64);
  });

  it("lets only agents of the call draw", () => {
    const { room, student, agent } = pair();
    const mark = { id: "x", kind: "text", colour: 0, points: [0, 0], text: "pay here" };
    for (const message of [
      { v: 1, t: "marks", s: KEY, marks: [mark] },
      { v: 1, t: "point", s: KEY, n: 1, at: [0, 0] },
      { v: 1, t: "freeze", s: KEY, on: true },
      { v: 1, t: "still", s: KEY, n: 0, of: 1, piece: "AAAA" },
      { v: 1, t: "shown", s: KEY, where: "none", covered: 9 },
    ]) {
      room.hostile("guest-1", message);
    }
    agent.write(SCREEN, 0, at(0, 0), "mine");
    room.hostile("guest-1", { v: 1, t: "clear", s: KEY });
    room.hostile("guest-1", { v: 1, t: "reset" });
    expect(student.board(SCREEN).marks.map((each) => each.text)).toEqual(["mine"]);
    expect(student.board(SCREEN).frozenBy).toBeNull();
    expect(agent.board(SCREEN).shown).toBeNull();
    expect(student.pointers.get().size).toBe(0);
  });

  it("does not let one agent erase another's marks by guessing ids", () => {
    const { room, student, agent } = pair();
    agent.write(SCREEN, 0, at(0, 0), "mine");
    const id = agent.board(SCREEN).marks[0]?.id;
    room.hostile("lin", { v: 1, t: "erase", s: KEY, ids: [id] }, true);
    expect(student.board(SCREEN).marks.length).toBe(1);
  });

  it("keeps little of whoever sends much", () => {
    const { room, student, now } = pair();
    for (let count = 0; count < 3000; count++) {
      now.ms += 1;
      const marks = [{ id: `m-${count}`, kind: "text", colour: 0, points: [0, 0], text: "x" }];
      room.hostile("lin", { v: 1, t: "marks", s: count % 2 === 0 ? KEY : `screen:nobody-${count}`, marks }, true);
    }
    expect(student.boards.get().size).toBeLessThanOrEqual(BOARDS);
    expect(student.board(SCREEN).marks.length).toBeLessThanOrEqual(MARKS_PER_AUTHOR);
    const admitted = student.board(SCREEN).marks.length;
    for (let count = 0; count < 5000; count++) {
      room.hostile("wu", { v: 1, t: "marks", s: KEY, marks: [{ id: `w-${count}`, kind: "text", colour: 0, points: [0, 0], text: "x" }] }, true);
    }
    expect(student.board(SCREEN).marks.length - admitted).toBeLessThanOrEqual(400);
  });

  it("tells the agent where the student sees the marks, and forgets a screen that is shared no more", () => {
    const { room, student, agent } = pair();
    student.tellShown(SCREEN, "page", 2);
    expect([agent.board(SCREEN).shown, agent.board(SCREEN).covered]).toEqual(["page", 2]);
    agent.write(SCREEN, 0, at(0, 0), "mine");
    for (const member of room.members.values()) member.listener.ended(SCREEN);
    expect(agent.boards.get().size + student.boards.get().size).toBe(0);
    expect(agent.canUndo(SCREEN)).toBe(false);
  });

  it("does not draw for a student", () => {
    const { student, agent } = pair();
    expect(student.begin(SCREEN, "pen", 0, at(0, 0))).toBeNull();
    student.write(SCREEN, 0, at(0, 0), "x");
    student.point(SCREEN, at(0, 0));
    expect(agent.boards.get().size).toBe(0);
  });

  it("names surfaces", () => {
    expect(surfaceOf("camera:a:b")).toEqual({ owner: "a:b", source: "camera" });
    expect(surfaceOf("nonsense")).toBeNull();
  });
});
