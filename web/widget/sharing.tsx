import type { JSX } from "preact";
import { Track } from "livekit-client";
import type { ProblemKind } from "../shared/call/problem";
import { Guide, guideChannel } from "../shared/guide";
import type { HelpMedia } from "../shared/help/media";
import type { Locale } from "../shared/i18n";
import { guideTranslator } from "../shared/i18n/guide";
import type { Store } from "../shared/store";
import { GuidedSharing, GuideMirror, type SharingState } from "./guide";

/** Sharing the own screen, with what agents point at and draw. One per room. */
export interface ScreenSharing {
  readonly state: Store<SharingState>;
  start(): Promise<ProblemKind | null>;
  stop(): Promise<void>;
  /** What support sees with its marks, where they cannot be shown on the page itself. */
  readonly Mirror: () => JSX.Element;
  close(): void;
}

export function screenSharing(media: HelpMedia, locale: Locale, child: boolean): ScreenSharing {
  const { session } = media;
  const guide = new Guide(guideChannel(session.room), { draws: false });
  const t = guideTranslator(locale, child);
  const sharing = new GuidedSharing(session, guide, t);
  return {
    state: sharing.state,
    start: () => sharing.start(),
    stop: () => sharing.stop(),
    Mirror: () => {
      const camera = session.room.localParticipant.getTrackPublication(Track.Source.Camera);
      return <GuideMirror sharing={sharing} t={t} camera={camera?.isMuted === false ? (camera.track?.mediaStreamTrack ?? null) : null} />;
    },
    close: () => {
      sharing.close();
      guide.close();
    },
  };
}
