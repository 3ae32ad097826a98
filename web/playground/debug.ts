import { CallSession } from "../shared/call/session";
import type { Call, CallSnapshot } from "../shared/call/model";
import type { ParticipantStatistics } from "../shared/call/statistics";

/**
 * What `?debug=1` puts at `window.__raisehand`, for browser tests and for looking inside by hand.
 * Not an interface for applications.
 */
export interface DebugHooks {
  /** The livekit-client `Room` of the current or last call; null before the first. */
  readonly room: CallSession["room"] | null;
  /** What the page is drawn from, or null before the first call. */
  state(): CallSnapshot | null;
  /** The figures of the last second, by identity. */
  statistics(): Record<string, ParticipantStatistics>;
  /** Mean brightness (0..255) and count of decoded frames of each video element on the page. */
  videos(): { width: number; height: number; frames: number; brightness: number; tile: string }[];
}

declare global {
  interface Window {
    __raisehand?: DebugHooks;
  }
}

/** Installs the hooks; called again for each call. */
export function installDebugHooks(call: Call | null): void {
  window.__raisehand = {
    room: call instanceof CallSession ? call.room : null,
    state: () => call?.state.get() ?? null,
    statistics: () => Object.fromEntries(call?.statistics.get() ?? []),
    videos: () => [...document.querySelectorAll("video")].map(inspect),
  };
}

function inspect(video: HTMLVideoElement): ReturnType<DebugHooks["videos"]>[number] {
  const canvas = new OffscreenCanvas(16, 16);
  const drawing = canvas.getContext("2d");
  let brightness = 0;
  if (drawing !== null && video.videoWidth > 0) {
    drawing.drawImage(video, 0, 0, 16, 16);
    const { data } = drawing.getImageData(0, 0, 16, 16);
    for (let at = 0; at < data.length; at += 4) {
      brightness += ((data[at] ?? 0) + (data[at + 1] ?? 0) + (data[at + 2] ?? 0)) / 3;
    }
    brightness /= 256;
  }
  return {
    width: video.videoWidth,
    height: video.videoHeight,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    brightness,
    tile: video.closest<HTMLElement>("[data-tile]")?.dataset.tile ?? "",
  };
}
