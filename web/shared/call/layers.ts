import { type RemoteTrackPublication, TrackEvent, VideoQuality } from "livekit-client";
import type { LayerChoice } from "./model";

const QUALITY_OF: Readonly<Record<LayerChoice, VideoQuality>> = {
  auto: VideoQuality.HIGH,
  high: VideoQuality.HIGH,
  medium: VideoQuality.MEDIUM,
  low: VideoQuality.LOW,
};

/**
 * The layers chosen by hand.
 *
 * The SDK treats a chosen quality as an upper bound beneath the size that adaptive streaming asks
 * for. That is right for `medium` and `low`, but `high` shall mean the full picture even in a small
 * tile: for it the size is taken out of each request just before it leaves.
 */
export class LayerChoices {
  readonly #choices = new WeakMap<RemoteTrackPublication, LayerChoice>();

  of(publication: object): LayerChoice {
    return this.#choices.get(publication as RemoteTrackPublication) ?? "auto";
  }

  choose(publication: RemoteTrackPublication, choice: LayerChoice): void {
    if (!this.#choices.has(publication)) {
      publication.prependListener(TrackEvent.UpdateSettings, (settings) => {
        if (this.#choices.get(publication) !== "high") return;
        settings.width = 0;
        settings.height = 0;
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the SDK has two equal enums
        settings.quality = VideoQuality.HIGH;
      });
    }
    this.#choices.set(publication, choice);
    publication.setVideoQuality(QUALITY_OF[choice]);
    // From auto to high and back the SDK sees no change, so the request is repeated.
    publication.emitTrackUpdate();
  }
}
