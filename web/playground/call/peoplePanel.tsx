import type { ParticipantView } from "../../shared/call/model";
import { colourIndex, initials } from "../../shared/format";
import { useAmbience } from "../context";
import { CameraIcon, CameraOffIcon, MicrophoneIcon, MicrophoneOffIcon, ScreenIcon } from "../icons";
import { ShareLink } from "./emptyState";
import { SidePanel } from "./panel";

interface PeoplePanelProps {
  participants: readonly ParticipantView[];
  link: string;
  onClose: () => void;
}

export function PeoplePanel({ participants, link, onClose }: PeoplePanelProps) {
  const { t } = useAmbience();
  return (
    <SidePanel title={`${t("people.title")} · ${participants.length}`} kind="people" onClose={onClose}>
      <ul class="people">
        {participants.map((participant) => (
          <li key={participant.identity} class={participant.isSpeaking ? "speaking" : ""}>
            <span class="avatar small" data-colour={colourIndex(participant.identity, 6)} aria-hidden="true">
              {initials(participant.name)}
            </span>
            <span class="people-name">
              <span>{participant.name.trim() === "" ? t("tile.unnamed") : participant.name}</span>
              <small>{participant.isLocal ? t("people.you") : t(`quality.${participant.quality}`)}</small>
            </span>
            {participant.screen !== null && (
              <span class="people-icon on" role="img" aria-label={t("tile.screenOf", { name: participant.name })}>
                <ScreenIcon />
              </span>
            )}
            <span
              class={`people-icon${participant.microphone === "on" ? "" : " off"}`}
              role="img"
              aria-label={participant.microphone === "on" ? t("control.microphone") : t("tile.muted")}
            >
              {participant.microphone === "on" ? <MicrophoneIcon /> : <MicrophoneOffIcon />}
            </span>
            <span
              class={`people-icon${participant.camera === null ? " off" : ""}`}
              role="img"
              aria-label={t(participant.camera === null ? "preview.cameraOff" : "control.camera")}
            >
              {participant.camera === null ? <CameraOffIcon /> : <CameraIcon />}
            </span>
          </li>
        ))}
      </ul>
      <div class="panel-foot">
        <p>{t("empty.text")}</p>
        <ShareLink link={link} />
      </div>
    </SidePanel>
  );
}
