import { describe, expect, it } from "vitest";
import type { ApiClient } from "../shared/api/client";
import { StaffDesk } from "../shared/desk/desk";

/** A server whose answers arrive when the test lets them. */
function slowServer() {
  const answers: ((waiting: number) => void)[] = [];
  const api = {
    GET: async () => {
      const waiting = await new Promise<number>((resolve) => answers.push(resolve));
      return { data: { items: [{ id: "technical", waiting, calls: null }] }, response: new Response() };
    },
  } as unknown as ApiClient;
  const me = { id: "qian", name: "钱主管", role: "supervisor" as const };
  const desk = new StaffDesk({ api, base: "", me, onRefused: () => undefined } as unknown as ConstructorParameters<typeof StaffDesk>[0]);
  return { answers, desk };
}

describe("what waits in the queues", () => {
  it("is never an answer that a later one has overtaken", async () => {
    const { answers, desk } = slowServer();
    const [early, late] = [desk.refreshQueues(), desk.refreshQueues()];
    answers[1]?.(1);
    await late;
    answers[0]?.(0);
    await early;
    expect(desk.state.get().queues.map((queue) => queue.waiting)).toEqual([1]);
  });
});
