import { describe, expect, it } from "vitest";
import { measure, readCounters, type StatsReport, summarise } from "../shared/call/statistics";

function report(...entries: Record<string, unknown>[]): StatsReport {
  return new Map(entries.map((entry, index) => [String(index), { id: String(index), timestamp: 1000, ...entry }])) as unknown as StatsReport;
}

describe("statistics", () => {
  it("adds up simulcast layers and shows the largest picture that flows", () => {
    const counters = readCounters(
      report(
        { type: "outbound-rtp", bytesSent: 100, packetsSent: 1, frameWidth: 320, frameHeight: 180, framesPerSecond: 15, codecId: "c" },
        { type: "outbound-rtp", bytesSent: 900, packetsSent: 4, frameWidth: 640, frameHeight: 360, framesPerSecond: 30, codecId: "c" },
        { type: "outbound-rtp", bytesSent: 0, packetsSent: 0, frameWidth: 1280, frameHeight: 720, framesPerSecond: 0, codecId: "c" },
        { type: "remote-inbound-rtp", fractionLost: 0.25, jitter: 0.012, roundTripTime: 0.08 },
        { type: "codec", id: "c", mimeType: "video/VP8" },
        { type: "candidate-pair", state: "succeeded", nominated: true, currentRoundTripTime: 0.5 },
      ),
      "up",
    );
    expect(counters).toMatchObject({
      bytes: 1000, packets: 5, width: 640, height: 360, framesPerSecond: 30, reportedLoss: 0.25, jitterMs: 12, roundTripMs: 80, codec: "VP8",
    });
  });

  it("computes rates of a received track, with the pair's round trip", () => {
    const at = (timestamp: number, bytesReceived: number, packetsReceived: number, packetsLost: number) => {
      const counters = readCounters(
        report(
          { type: "inbound-rtp", timestamp, bytesReceived, packetsReceived, packetsLost, jitter: 0.004 },
          { type: "candidate-pair", state: "succeeded", currentRoundTripTime: 0.03 },
        ),
        "down",
      );
      if (counters === null) throw new Error("no counters");
      return counters;
    };
    const measures = measure(at(1000, 1000, 10, 0), at(3000, 251_000, 100, 10));
    expect(measures.bitrateBps).toBe(1_000_000);
    expect(measures.lossRatio).toBeCloseTo(0.1);
    expect(measures.jitterMs).toBeCloseTo(4);
    expect(measures.roundTripMs).toBe(30);
  });

  it("takes counters that went back as a new start", () => {
    const counters = { atMs: 1000, bytes: 500, packets: 5, packetsLost: 0, reportedLoss: null, jitterMs: null, roundTripMs: null, framesPerSecond: null, width: null, height: null, codec: null };
    expect(measure(counters, { ...counters, atMs: 2000, bytes: 10 }).bitrateBps).toBeNull();
    expect(measure(undefined, counters).bitrateBps).toBeNull();
    expect(measure(counters, { ...counters, atMs: 2000, bytes: 500 })).toMatchObject({ bitrateBps: 0, lossRatio: null });
  });

  it("has nothing before the first stream", () => {
    expect(readCounters(report({ type: "candidate-pair", state: "succeeded" }), "down")).toBeNull();
  });

  it("sums up a participant", () => {
    const track = { bitrateBps: 1000, lossRatio: 0.01, jitterMs: 3, roundTripMs: null, framesPerSecond: null, width: null, height: null, codec: "opus" };
    const line = summarise({ direction: "down", audio: track, camera: { ...track, lossRatio: 0.2, width: 640, height: 360, codec: "VP8" }, screen: null });
    expect(line).toMatchObject({ bitrateBps: 2000, lossRatio: 0.2, width: 640, codec: "VP8", roundTripMs: null });
  });
});
