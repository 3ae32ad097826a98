import {
  ConnectionQuality,
  type LocalTrackPublication,
  type Participant,
  type RemoteTrackPublication,
  type Room,
  Track,
  type TrackPublication,
} from "livekit-client";
import type { LayerChoice, MediaHandle, ParticipantView, Quality } from "./model";

const QUALITIES: Readonly<Record<ConnectionQuality, Quality>> = {
  [ConnectionQuality.Excellent]: "excellent",
  [ConnectionQuality.Good]: "good",
  [ConnectionQuality.Poor]: "poor",
  [ConnectionQuality.Lost]: "lost",
  [ConnectionQuality.Unknown]: "unknown",
};

/** Everyone in the room, ourselves first, the others in order of arrival. */
export function viewParticipants(
  room: Room,
  layerOf: (publication: TrackPublication) => LayerChoice,
): ParticipantView[] {
  const others = [...room.remoteParticipants.values()].sort(
    (one, other) => (one.joinedAt?.getTime() ?? 0) - (other.joinedAt?.getTime() ?? 0) || (one.sid < other.sid ? -1 : 1),
  );
  return [room.localParticipant, ...others].map((participant) => viewParticipant(participant, layerOf));
}

function viewParticipant(
  participant: Participant,
  layerOf: (publication: TrackPublication) => LayerChoice,
): ParticipantView {
  const microphone = participant.getTrackPublication(Track.Source.Microphone);
  const camera = participant.getTrackPublication(Track.Source.Camera);
  const screen = participant.getTrackPublication(Track.Source.ScreenShare);
  const screenAudio = participant.getTrackPublication(Track.Source.ScreenShareAudio);
  return {
    identity: participant.identity,
    name: participant.name !== undefined && participant.name !== "" ? participant.name : participant.identity,
    isLocal: participant.isLocal,
    isSpeaking: participant.isSpeaking && microphone?.isMuted === false,
    microphone: microphone === undefined ? null : microphone.isMuted ? "muted" : "on",
    audio: participant.isLocal ? null : handleOf(microphone),
    screenAudio: participant.isLocal ? null : handleOf(screenAudio),
    camera: camera?.isMuted === false ? handleOf(camera) : null,
    screen: screen?.isMuted === false ? handleOf(screen) : null,
    cameraPaused: camera?.track?.streamState === Track.StreamState.Paused,
    quality: QUALITIES[participant.connectionQuality],
    cameraLayer: camera === undefined ? "auto" : layerOf(camera),
    screenLayer: screen === undefined ? "auto" : layerOf(screen),
    joinedAtMs: participant.joinedAt?.getTime() ?? 0,
  };
}

const handles = new WeakMap<Track, { key: string; handle: MediaHandle }>();

/** The same handle object for the same media, so that pages need not attach again. */
function handleOf(publication: TrackPublication | undefined): MediaHandle | null {
  const track = (publication as LocalTrackPublication | RemoteTrackPublication | undefined)?.track;
  if (track === undefined) return null;
  const key = `${publication?.trackSid ?? ""}/${track.mediaStreamTrack.id}`;
  const known = handles.get(track);
  if (known?.key === key) return known.handle;
  const handle: MediaHandle = {
    key,
    attach: (element) => {
      track.attach(element);
      return () => void track.detach(element);
    },
  };
  handles.set(track, { key, handle });
  return handle;
}
