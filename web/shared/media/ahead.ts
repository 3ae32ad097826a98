import { createLocalAudioTrack, createLocalVideoTrack, type LocalTrack } from "livekit-client";
import { type PreviewTracks, requireDevices, withDevice } from "./preview";

export interface Wanted {
  readonly microphone: boolean;
  readonly camera: boolean;
}

/**
 * Devices that open while the connection is still being made, so that the first word need not wait for both.
 * One that cannot be opened is left out: the call tries again, and says what is wrong.
 */
export class DevicesAhead {
  #tracks: Promise<PreviewTracks> | null;

  constructor(wanted: Wanted, devices: Partial<Record<MediaDeviceKind, string>>) {
    this.#tracks = Promise.all([
      opened(wanted.microphone, () => createLocalAudioTrack(withDevice(devices.audioinput))),
      opened(wanted.camera, () => createLocalVideoTrack(withDevice(devices.videoinput))),
    ]).then(([audio, video]) => ({ audio, video }));
  }

  /** Gives the tracks away, once. */
  async take(): Promise<PreviewTracks> {
    const tracks = this.#tracks;
    this.#tracks = null;
    return (await tracks) ?? { audio: null, video: null };
  }

  /** Closes what nobody took. */
  close(): void {
    void this.take().then(({ audio, video }) => {
      audio?.stop();
      video?.stop();
    });
  }
}

async function opened<Track extends LocalTrack>(wanted: boolean, open: () => Promise<Track>): Promise<Track | null> {
  if (!wanted) return null;
  try {
    requireDevices();
    return await open();
  } catch {
    return null;
  }
}
