import { useState } from "preact/hooks";
import { CameraIcon, ChatIcon, MicrophoneIcon } from "../../playground/icons";
import type { HelpState } from "../../shared/help/model";
import { NOTE_CHARACTERS } from "../../shared/help/reducer";
import { type HelpKind, KINDS, OTHER_TOPICS } from "../../shared/help/topics";
import { useAmbience } from "../context";
import { BackIcon, NoPictureIcon, NoSoundIcon, QuestionIcon } from "../icons";
import { Choice } from "./parts";

const KIND_ICONS: Readonly<Record<HelpKind, () => preact.JSX.Element>> = {
  voice: MicrophoneIcon,
  video: CameraIcon,
  chat: ChatIcon,
};

export function StartPage({ state }: { state: HelpState }) {
  const { t, controller } = useAmbience();
  const [other, setOther] = useState(false);
  const [details, setDetails] = useState(state.note !== "");
  const busy = state.phase === "asking";

  if (other) {
    return (
      <div class="page start" data-page="other">
        <button type="button" class="back" onClick={() => setOther(false)}>
          <BackIcon />
          {t("panel.back")}
        </button>
        <h2 tabindex={-1}>{t("start.otherTitle")}</h2>
        <div class="topics small">
          {OTHER_TOPICS.map((topic) => (
            <button key={topic} type="button" class="topic" data-topic={topic} disabled={busy} onClick={() => void controller.asking.ask(topic)}>
              {t(`topic.${topic}`)}
            </button>
          ))}
        </div>
        <button type="button" class="button wide quiet" data-topic="general" disabled={busy} onClick={() => void controller.asking.ask("general")}>
          {t("start.otherSkip")}
        </button>
        <Busy busy={busy} />
      </div>
    );
  }

  return (
    <div class="page start" data-page="start">
      <h2 tabindex={-1} class="lead">
        {t("start.title")}
      </h2>
      <div class="topics">
        <button type="button" class="topic large" data-topic="no_sound" disabled={busy} onClick={() => void controller.asking.ask("no_sound")}>
          <NoSoundIcon />
          <span>{t("topic.no_sound")}</span>
        </button>
        <button type="button" class="topic large" data-topic="no_picture" disabled={busy} onClick={() => void controller.asking.ask("no_picture")}>
          <NoPictureIcon />
          <span>{t("topic.no_picture")}</span>
        </button>
        <button type="button" class="topic large" data-topic="other" disabled={busy} onClick={() => setOther(true)}>
          <QuestionIcon />
          <span>{t("topic.other")}</span>
        </button>
      </div>
      <Busy busy={busy} />
      <div class="kind-row">
        <span class="field-label">{t("start.kind")}</span>
        <Choice
          name="kind"
          label={t("start.kind")}
          value={state.kind}
          options={KINDS.map((kind) => {
            const Icon = KIND_ICONS[kind];
            return { value: kind, label: t(`kind.${kind}`), icon: <Icon /> };
          })}
          onChoose={(kind) => controller.asking.chooseKind(kind)}
        />
        <small class="hint">{t(`kind.${state.kind}.hint`)}</small>
      </div>
      {details ? (
        <textarea
          class="field"
          rows={2}
          maxLength={NOTE_CHARACTERS}
          aria-label={t("start.noteLabel")}
          placeholder={t("start.note")}
          value={state.note}
          onInput={(event) => controller.asking.writeNote(event.currentTarget.value)}
        />
      ) : (
        <button type="button" class="link" data-action="details" onClick={() => setDetails(true)}>
          {t("start.detailsToggle")}
        </button>
      )}
    </div>
  );
}

function Busy({ busy }: { busy: boolean }) {
  const { t } = useAmbience();
  return (
    <p class="busy" role="status">
      {busy ? t("start.asking") : ""}
    </p>
  );
}
