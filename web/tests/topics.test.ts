import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { apiClient } from "../shared/api/client";
import { topicName, Topics } from "../shared/desk/topics";

const answer = (status: number, body: unknown): Response =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
const list = (name: Record<string, string>): Response => answer(200, { version: 1, items: [{ id: "exam", name }] });

describe("a topic's name", () => {
  const names = new Map([
    ["exam", { "zh-CN": "期末考试", en: "Finals" }],
    ["homework", { "zh-CN": "课后练习", en: "" }],
    ["robotics", { "zh-CN": "机器人", en: "" }],
  ]);

  it("is the school's own in the page's language", () => {
    expect(topicName(names, "exam", "zh-CN", null)).toBe("期末考试");
    expect(topicName(names, "exam", "en", "Exam")).toBe("Finals");
  });

  it("falls back on the catalogue, then on the other language, then on the id", () => {
    expect(topicName(names, "homework", "en", "Homework")).toBe("Homework");
    expect(topicName(names, "robotics", "en", null)).toBe("机器人");
    expect(topicName(new Map(), "refund", "en", "Refund")).toBe("Refund");
    expect(topicName(new Map(), "gone", "en", null)).toBe("gone");
  });
});

describe("the topics", () => {
  const asked = vi.fn<() => Promise<Response>>();
  const topics = (): Topics => new Topics(apiClient({ base: "http://localhost", token: null }));

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("fetch", asked);
    asked.mockReset();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("are read at once, every few minutes, and soon again after a failure", async () => {
    asked
      .mockResolvedValueOnce(answer(503, { code: "unavailable" }))
      .mockResolvedValueOnce(list({ "zh-CN": "考试", en: "Exams" }))
      .mockResolvedValue(list({ "zh-CN": "考试", en: "Finals" }));
    const followed = topics();
    await followed.start();
    expect(followed.names.get().size).toBe(0);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(followed.names.get().get("exam")?.en).toBe("Exams");
    await vi.advanceTimersByTimeAsync(5 * 60_000);
    expect(followed.names.get().get("exam")?.en).toBe("Finals");
    followed.close();
    const before = asked.mock.calls.length;
    await vi.advanceTimersByTimeAsync(60 * 60_000);
    expect(asked.mock.calls.length).toBe(before);
  });

  it("are not asked for again by somebody who may not know them", async () => {
    asked.mockResolvedValue(answer(401, { code: "unauthenticated" }));
    await topics().start();
    await vi.advanceTimersByTimeAsync(60 * 60_000);
    expect(asked).toHaveBeenCalledOnce();
  });
});
