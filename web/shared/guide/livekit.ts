import { ConnectionState, type Participant, type Room, RoomEvent, Track, type TrackPublication } from "livekit-client";
import type { GuideChannel, GuideListener, Sender } from "./guide";
import type { Surface } from "./model";
import { GUIDE_TOPIC } from "./wire";

/** The attribute in which the server says what a participant is; clients cannot change it. */
const ROLE = "raisehand.role";
const DRAWING_ROLES: ReadonlySet<string> = new Set(["agent", "supervisor"]);

/** Whether somebody is an agent or a supervisor of the call. */
export function mayDraw(participant: Participant): boolean {
  return DRAWING_ROLES.has(participant.attributes[ROLE] ?? "");
}

/** Data packets of a LiveKit room. */
export function guideChannel(room: Room): GuideChannel {
  return {
    get identity() {
      return room.localParticipant.identity;
    },
    send(packet, reliable, to) {
      if (room.state !== ConnectionState.Connected && !reliable) return;
      if (room.localParticipant.permissions?.canPublishData === false) return;
      const options = { reliable, topic: GUIDE_TOPIC, ...(to === undefined ? {} : { destinationIdentities: [...to] }) };
      // The connection is gone: when it is back, `opened` tells everything anew.
      room.localParticipant.publishData(packet, options).catch(() => undefined);
    },
    has: ({ owner, source }) => {
      const participant = owner === room.localParticipant.identity ? room.localParticipant : room.remoteParticipants.get(owner);
      return participant?.getTrackPublication(sourceOf(source)) !== undefined;
    },
    listen: (listener) => listenTo(room, listener),
  };
}

function listenTo(room: Room, listener: GuideListener): () => void {
  const packet = (payload: Uint8Array, from?: Participant, _kind?: unknown, topic?: string): void => {
    if (topic !== GUIDE_TOPIC || from === undefined || from.isLocal) return;
    const sender: Sender = { identity: from.identity, mayDraw: mayDraw(from) };
    listener.packet(payload, sender);
  };
  const opened = (): void => listener.opened();
  const left = (participant: Participant): void => listener.left(participant.identity);
  const ended = (publication: TrackPublication, participant: Participant): void => {
    const surface = surfaceOfTrack(publication, participant);
    if (surface !== null) listener.ended(surface);
  };
  /** Until the call is accepted the student may send nothing; then he says hello. */
  const permitted = (_before: unknown, participant: Participant): void => {
    if (participant.isLocal && participant.permissions?.canPublishData === true) listener.opened();
  };
  room
    .on(RoomEvent.DataReceived, packet)
    .on(RoomEvent.Connected, opened)
    .on(RoomEvent.Reconnected, opened)
    .on(RoomEvent.ParticipantDisconnected, left)
    .on(RoomEvent.TrackUnpublished, ended)
    .on(RoomEvent.LocalTrackUnpublished, ended)
    .on(RoomEvent.ParticipantPermissionsChanged, permitted);
  return () => {
    room
      .off(RoomEvent.DataReceived, packet)
      .off(RoomEvent.Connected, opened)
      .off(RoomEvent.Reconnected, opened)
      .off(RoomEvent.ParticipantDisconnected, left)
      .off(RoomEvent.TrackUnpublished, ended)
      .off(RoomEvent.LocalTrackUnpublished, ended)
      .off(RoomEvent.ParticipantPermissionsChanged, permitted);
  };
}

function surfaceOfTrack(publication: TrackPublication, participant: Participant): Surface | null {
  if (publication.source === Track.Source.ScreenShare) return { owner: participant.identity, source: "screen" };
  if (publication.source === Track.Source.Camera) return { owner: participant.identity, source: "camera" };
  return null;
}

function sourceOf(source: Surface["source"]): Track.Source {
  return source === "screen" ? Track.Source.ScreenShare : Track.Source.Camera;
}
