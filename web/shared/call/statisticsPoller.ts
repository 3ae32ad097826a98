import { type Room, Track } from "livekit-client";
import type { Store } from "../store";
import { measure, type ParticipantStatistics, readCounters, type TrackCounters } from "./statistics";

/** How often figures are renewed. */
const INTERVAL_MS = 1000;

/** Reads every track's counters once a second and publishes the rates. */
export class StatisticsPoller {
  #timer: ReturnType<typeof setInterval> | null = null;
  #previous = new Map<string, TrackCounters>();
  #busy = false;

  constructor(
    private readonly room: Room,
    private readonly target: Store<ReadonlyMap<string, ParticipantStatistics>>,
  ) {}

  start(): void {
    this.#timer ??= setInterval(() => void this.#poll(), INTERVAL_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#previous.clear();
    this.target.set(new Map());
  }

  async #poll(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const seen = new Map<string, TrackCounters>();
      const result = new Map<string, ParticipantStatistics>();
      for (const participant of [this.room.localParticipant, ...this.room.remoteParticipants.values()]) {
        const direction = participant.isLocal ? "up" : "down";
        const read = async (source: Track.Source): Promise<ParticipantStatistics["audio"]> => {
          const publication = participant.getTrackPublication(source);
          const track = publication?.track;
          if (publication === undefined || track === undefined || publication.isMuted) return null;
          const report = await track.getRTCStatsReport();
          const counters = report === undefined ? null : readCounters(report, direction);
          if (counters === null) return null;
          const key = `${publication.trackSid}/${track.mediaStreamTrack.id}`;
          seen.set(key, counters);
          return measure(this.#previous.get(key), counters);
        };
        const [audio, camera, screen] = await Promise.all([
          read(Track.Source.Microphone),
          read(Track.Source.Camera),
          read(Track.Source.ScreenShare),
        ]);
        if (audio !== null || camera !== null || screen !== null) {
          result.set(participant.identity, { direction, audio, camera, screen });
        }
      }
      this.#previous = seen;
      if (this.#timer !== null) this.target.set(result);
    } catch {
      // A connection being rebuilt has no statistics; the next second tries again.
    } finally {
      this.#busy = false;
    }
  }
}
