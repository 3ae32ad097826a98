/** The counters of one track, taken from one `getStats()` report. */
export interface TrackCounters {
  atMs: number;
  bytes: number;
  packets: number;
  packetsLost: number;
  /** Loss as last reported by the far end, 0..1; senders only. */
  reportedLoss: number | null;
  jitterMs: number | null;
  roundTripMs: number | null;
  framesPerSecond: number | null;
  width: number | null;
  height: number | null;
  codec: string | null;
}

/** What is shown of one track. */
export interface TrackMeasures {
  bitrateBps: number | null;
  /** 0..1 */
  lossRatio: number | null;
  jitterMs: number | null;
  roundTripMs: number | null;
  framesPerSecond: number | null;
  width: number | null;
  height: number | null;
  codec: string | null;
}

export interface ParticipantStatistics {
  /** `up`: what we send. `down`: what we receive of that participant. */
  readonly direction: "up" | "down";
  readonly audio: TrackMeasures | null;
  readonly camera: TrackMeasures | null;
  readonly screen: TrackMeasures | null;
}

/** The members of the W3C statistics dictionaries read here. */
interface StatsEntry {
  id: string;
  type: string;
  timestamp: number;
  codecId?: string;
  mimeType?: string;
  bytesSent?: number;
  bytesReceived?: number;
  packetsSent?: number;
  packetsReceived?: number;
  packetsLost?: number;
  fractionLost?: number;
  jitter?: number;
  roundTripTime?: number;
  currentRoundTripTime?: number;
  nominated?: boolean;
  state?: string;
  framesPerSecond?: number;
  frameWidth?: number;
  frameHeight?: number;
  kind?: string;
}

/** Anything shaped like an `RTCStatsReport`. */
export interface StatsReport {
  forEach(visit: (entry: StatsEntry) => void): void;
}

/**
 * Sums up one track's report; null when it holds no RTP stream yet.
 * A simulcast sender has several outbound streams: bytes add up, the picture is the largest sent.
 */
export function readCounters(report: StatsReport, direction: "up" | "down"): TrackCounters | null {
  const byId = new Map<string, StatsEntry>();
  const streams: StatsEntry[] = [];
  const remotes: StatsEntry[] = [];
  let pairRoundTripS: number | undefined;
  report.forEach((entry) => {
    byId.set(entry.id, entry);
    if (entry.type === (direction === "up" ? "outbound-rtp" : "inbound-rtp")) streams.push(entry);
    else if (entry.type === "remote-inbound-rtp" && direction === "up") remotes.push(entry);
    else if (entry.type === "candidate-pair" && entry.state === "succeeded" && entry.nominated !== false) {
      pairRoundTripS = entry.currentRoundTripTime ?? pairRoundTripS;
    }
  });
  const first = streams[0];
  if (first === undefined) return null;

  const total = (pick: (entry: StatsEntry) => number | undefined, of = streams): number =>
    of.reduce((sum, entry) => sum + (pick(entry) ?? 0), 0);
  const largest = (values: (number | undefined)[]): number | null =>
    values.reduce<number | null>((most, value) => (value === undefined ? most : Math.max(most ?? value, value)), null);

  const flowing = streams.filter((entry) => (entry.framesPerSecond ?? 0) > 0);
  const picture = (flowing.length > 0 ? flowing : streams).reduce((best, entry) =>
    (entry.frameHeight ?? 0) > (best.frameHeight ?? 0) ? entry : best,
  );
  const jitterS = largest((direction === "up" ? remotes : streams).map((entry) => entry.jitter));
  const roundTripS = largest(remotes.map((entry) => entry.roundTripTime)) ?? pairRoundTripS ?? null;
  const mimeType = byId.get(picture.codecId ?? first.codecId ?? "")?.mimeType;
  return {
    atMs: first.timestamp,
    bytes: total((entry) => (direction === "up" ? entry.bytesSent : entry.bytesReceived)),
    packets: total((entry) => (direction === "up" ? entry.packetsSent : entry.packetsReceived)),
    packetsLost: total((entry) => entry.packetsLost, direction === "up" ? remotes : streams),
    reportedLoss: largest(remotes.map((entry) => entry.fractionLost)),
    jitterMs: jitterS === null ? null : jitterS * 1000,
    roundTripMs: roundTripS === null ? null : roundTripS * 1000,
    framesPerSecond: picture.framesPerSecond ?? null,
    width: picture.frameWidth ?? null,
    height: picture.frameHeight ?? null,
    codec: mimeType === undefined ? null : (mimeType.split("/")[1] ?? mimeType),
  };
}

/** The rates between two readings of the same track. Counters that went back count as a new start. */
export function measure(previous: TrackCounters | undefined, current: TrackCounters): TrackMeasures {
  const elapsedS = previous === undefined ? 0 : (current.atMs - previous.atMs) / 1000;
  const usable = previous !== undefined && elapsedS > 0 && current.bytes >= previous.bytes;
  let lossRatio = current.reportedLoss;
  if (lossRatio === null && usable) {
    const lost = Math.max(0, current.packetsLost - previous.packetsLost);
    const expected = current.packets - previous.packets + lost;
    lossRatio = expected > 0 ? lost / expected : null;
  }
  return {
    bitrateBps: usable ? ((current.bytes - previous.bytes) * 8) / elapsedS : null,
    lossRatio,
    jitterMs: current.jitterMs,
    roundTripMs: current.roundTripMs,
    framesPerSecond: current.framesPerSecond,
    width: current.width,
    height: current.height,
    codec: current.codec,
  };
}

/** One line's worth of figures over all of a participant's tracks. */
export function summarise(statistics: ParticipantStatistics): TrackMeasures {
  const tracks = [statistics.screen, statistics.camera, statistics.audio].filter((track) => track !== null);
  const most = (pick: (track: TrackMeasures) => number | null): number | null =>
    tracks.reduce<number | null>((worst, track) => {
      const value = pick(track);
      return value === null ? worst : Math.max(worst ?? value, value);
    }, null);
  const bitrates = tracks.map((track) => track.bitrateBps).filter((bitrate) => bitrate !== null);
  const picture = statistics.camera ?? statistics.screen;
  return {
    bitrateBps: bitrates.length === 0 ? null : bitrates.reduce((sum, bitrate) => sum + bitrate, 0),
    lossRatio: most((track) => track.lossRatio),
    jitterMs: most((track) => track.jitterMs),
    roundTripMs: most((track) => track.roundTripMs),
    framesPerSecond: picture?.framesPerSecond ?? null,
    width: picture?.width ?? null,
    height: picture?.height ?? null,
    codec: (picture ?? statistics.audio)?.codec ?? null,
  };
}
