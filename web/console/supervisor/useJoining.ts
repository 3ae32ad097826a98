import { useState } from "react";
import { useNavigate } from "react-router";
import { unwrap } from "../../shared/api/client";
import type { Call, Floor, Mode } from "../../shared/supervision/floor";
import { useSelected, useSession } from "../context";
import { useProblems } from "../problems";

export interface Joining {
  /** The call that is being joined or left just now. */
  readonly busy: string | null;
  /** Joins a call in this way, or changes how we take part. Leaves the call that was supervised before. */
  readonly join: (call: Call, mode: Mode) => Promise<void>;
  readonly takeOver: (call: Call) => Promise<void>;
  readonly leave: (call: string) => Promise<void>;
  /** How we take part in a call; null: not at all. */
  readonly modeIn: (call: Call) => Mode | null;
}

/** Getting into calls and out of them. */
export function useJoining(floor: Floor): Joining {
  const { api, desk, me } = useSession();
  const { guard } = useProblems();
  const navigate = useNavigate();
  const mine = useSelected(desk.state, (state) => state.calls);
  const [busy, setBusy] = useState<string | null>(null);

  const during = async (call: string, act: () => Promise<unknown>): Promise<void> => {
    if (busy !== null) return;
    setBusy(call);
    await guard(act);
    setBusy(null);
  };
  const modeIn = (call: Call): Mode | null => call.participants.find((person) => person.identity === me.id)?.mode ?? null;
  const out = async (call: string): Promise<void> => {
    floor.adopt(
      await unwrap(
        api.DELETE("/v1/calls/{call}/participants/{identity}", { params: { path: { call, identity: me.id } } }),
      ),
    );
  };

  return {
    busy,
    modeIn,
    join: (call, mode) =>
      during(call.id, async () => {
        if (modeIn(call) !== null) {
          const path = { call: call.id, identity: me.id };
          floor.adopt(
            await unwrap(api.PATCH("/v1/calls/{call}/participants/{identity}", { params: { path }, body: { mode } })),
          );
          return;
        }
        for (const other of mine) {
          if (other.engagement.role === "supervisor" && other.id !== call.id) await out(other.id);
        }
        if (mode === "monitor") desk.listening.add(call.id);
        else desk.listening.delete(call.id);
        const body = { agent: me.id, skill: null, queue: null, guest: null, mode, note: "", force: true };
        const answer = await unwrap(
          api.POST("/v1/calls/{call}/participants", { params: { path: { call: call.id } }, body }),
        );
        floor.adopt(answer.call);
        await desk.refresh();
      }),
    takeOver: (call) =>
      during(call.id, async () => {
        desk.listening.delete(call.id);
        const answer = await unwrap(api.POST("/v1/calls/{call}/takeover", { params: { path: { call: call.id } } }));
        floor.adopt(answer.call);
        await desk.refresh();
        await navigate(`/desk/call/${call.id}`);
      }),
    leave: (call) => during(call, () => out(call)),
  };
}
