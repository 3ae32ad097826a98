import type { Call, LayerChoice, ParticipantView } from "../../shared/call/model";
import type { ParticipantStatistics } from "../../shared/call/statistics";
import { colourIndex, initials } from "../../shared/format";
import type { Translate } from "../../shared/i18n/playground";
import { Menu, MenuAction, MenuChoice, MenuGroup } from "../components/menu";
import { Video } from "../components/media";
import { useAmbience } from "../context";
import { MicrophoneOffIcon, MoreIcon, PinIcon, ScreenIcon, SignalIcon } from "../icons";
import { StatisticsStrip } from "./statisticsStrip";

/** Colours of initials; see tokens.css. */
const AVATAR_COLOURS = 6;

const SIGNAL_LEVELS = { excellent: 3, good: 2, poor: 1, lost: 0, unknown: 0 } as const;
const LAYERS: readonly LayerChoice[] = ["auto", "high", "medium", "low"];

interface TileProps {
  call: Call;
  participant: ParticipantView;
  source: "camera" | "screen";
  place: "grid" | "focus" | "strip" | "corner";
  pinned: boolean;
  /** null hides the strip. */
  statistics: ParticipantStatistics | null;
  onPin: () => void;
}

export function Tile({ call, participant, source, place, pinned, statistics, onPin }: TileProps) {
  const { t } = useAmbience();
  const label = labelOf(participant, source, t);
  const picture = source === "camera" ? participant.camera : participant.screen;
  const speaking = source === "camera" && participant.isSpeaking;
  return (
    <article
      class={`tile tile-${place}${speaking ? " speaking" : ""}${source === "screen" ? " tile-screen" : ""}${picture === null ? "" : " has-picture"}`}
      aria-label={label}
      data-tile={`${source}:${participant.identity}`}
      data-local={participant.isLocal}
      onDblClick={onPin}
      onClick={(event) => {
        // Thumbnails come forward at a tap; the keyboard has the same in the tile's menu.
        const onControl = event.target instanceof Element && event.target.closest("button, .menu") !== null;
        if (place === "strip" && !onControl) onPin();
      }}
    >
      {picture === null ? (
        <div class="avatar" data-colour={colourIndex(participant.identity, AVATAR_COLOURS)} aria-hidden="true">
          {initials(participant.name)}
        </div>
      ) : (
        <Video
          handle={picture}
          mirrored={participant.isLocal && source === "camera"}
          fit={source === "screen" ? "contain" : "cover"}
        />
      )}
      {source === "camera" && participant.cameraPaused && <p class="tile-paused">{t("tile.paused")}</p>}

      {place !== "corner" && (
        <Menu label={t("tile.options", { name: label })} buttonClass="tile-tool" button={<MoreIcon />}>
          {(close) => (
            <>
              <MenuAction
                icon={<PinIcon />}
                label={t(pinned ? "tile.unpin" : "tile.pin", { name: label })}
                onChoose={() => {
                  onPin();
                  close();
                }}
              />
              {!participant.isLocal && picture !== null && (
                <LayerMenu call={call} participant={participant} source={source} close={close} />
              )}
            </>
          )}
        </Menu>
      )}

      <footer class="tile-foot">
        <div class="plate">
          {source === "screen" && (
            <span class="plate-icon">
              <ScreenIcon />
            </span>
          )}
          {source === "camera" && participant.microphone !== "on" && (
            <span
              class="plate-icon muted"
              role="img"
              aria-label={t(participant.microphone === null ? "tile.noMicrophone" : "tile.muted")}
              title={t(participant.microphone === null ? "tile.noMicrophone" : "tile.muted")}
            >
              <MicrophoneOffIcon />
            </span>
          )}
          {source === "camera" && participant.microphone === "on" && (
            <span class="voice" role="img" aria-label={speaking ? t("tile.speaking") : t("control.microphone")}>
              <i />
              <i />
              <i />
            </span>
          )}
          <span class="plate-name" title={label}>
            {label}
          </span>
          {source === "camera" && participant.quality !== "unknown" && (
            <span
              class={`quality quality-${participant.quality}`}
              role="img"
              aria-label={t(`quality.${participant.quality}`)}
              title={t(`quality.${participant.quality}`)}
            >
              <SignalIcon level={SIGNAL_LEVELS[participant.quality]} />
            </span>
          )}
        </div>
        {statistics !== null && place !== "corner" && (
          <StatisticsStrip name={label} statistics={statistics} source={source} />
        )}
      </footer>
    </article>
  );
}

interface LayerMenuProps {
  call: Call;
  participant: ParticipantView;
  source: "camera" | "screen";
  close: () => void;
}

function LayerMenu({ call, participant, source, close }: LayerMenuProps) {
  const { t } = useAmbience();
  const current = source === "camera" ? participant.cameraLayer : participant.screenLayer;
  return (
    <MenuGroup label={t("layer.title")}>
      {LAYERS.map((layer) => (
        <MenuChoice
          key={layer}
          chosen={layer === current}
          label={t(`layer.${layer}`)}
          {...(layer === "auto" ? { hint: t("layer.autoHint") } : {})}
          onChoose={() => {
            call.setLayer(participant.identity, source, layer);
            close();
          }}
        />
      ))}
    </MenuGroup>
  );
}

function labelOf(participant: ParticipantView, source: "camera" | "screen", t: Translate): string {
  const name = participant.name.trim() === "" ? t("tile.unnamed") : participant.name;
  if (source === "screen") return participant.isLocal ? t("tile.yourScreen") : t("tile.screenOf", { name });
  return participant.isLocal ? t("tile.you", { name }) : name;
}
