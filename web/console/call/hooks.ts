import { useSyncExternalStore } from "react";
import type { CallSnapshot } from "../../shared/call/model";
import type { CallSession } from "../../shared/call/session";
import type { CallRoom, RoomState } from "../../shared/desk/room";
import { useSelected, useSession } from "../context";
import type { MyCall } from "../../shared/desk/model";

const NOWHERE: RoomState = { is: "out", session: null };
const nothing = (): (() => void) => () => undefined;

/** Played to the student while waiting; nobody to show. */
export const MUSIC = "raisehand-music";

export function useMyCall(id: string): MyCall | null {
  const { desk } = useSession();
  return useSelected(desk.state, (state) => state.calls.find((each) => each.id === id) ?? null);
}

export function useRoom(room: CallRoom | null): RoomState {
  return useSyncExternalStore(
    (changed) => room?.state.subscribe(changed) ?? nothing(),
    () => room?.state.get() ?? NOWHERE,
  );
}

export function useSnapshot(session: CallSession | null): CallSnapshot | null {
  return useSyncExternalStore(
    (changed) => session?.state.subscribe(changed) ?? nothing(),
    () => session?.state.get() ?? null,
  );
}
