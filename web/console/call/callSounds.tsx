import type { CallRoom } from "../../shared/desk/room";
import { useSelected, useSession } from "../context";
import { MUSIC, useRoom, useSnapshot } from "./hooks";
import { Sounds } from "./media";

/** The voices of all my calls, whatever page is open. */
export function CallSounds() {
  const { desk } = useSession();
  const calls = useSelected(desk.state, (state) => state.calls);
  return (
    <div className="rh-sounds" aria-hidden="true">
      {calls.map((each) => {
        const room = desk.room(each.id);
        return room === null ? null : <RoomSounds key={each.id} room={room} />;
      })}
    </div>
  );
}

function RoomSounds({ room }: { room: CallRoom }) {
  const { session } = useRoom(room);
  const snapshot = useSnapshot(session);
  if (snapshot === null) return null;
  return <Sounds participants={snapshot.participants.filter((person) => !person.isLocal && person.identity !== MUSIC)} />;
}
