import { useEffect, useRef, useState } from "preact/hooks";
import { CameraIcon, ChatIcon, MicrophoneIcon } from "../../playground/icons";
import type { HelpState } from "../../shared/help/model";
import { NOTE_CHARACTERS } from "../../shared/help/reducer";
import { CHOICES, type HelpKind, KINDS, lastResort, type Topic, type TopicChoice, topicsOf } from "../../shared/help/topics";
import { useAmbience, useStore } from "../context";
import { NoPictureIcon, NoSoundIcon, QuestionIcon } from "../icons";
import { Choice } from "./parts";
import { Busy, topicName, TopicsPage } from "./topicsPage";

const KIND_ICONS: Readonly<Record<HelpKind, () => preact.JSX.Element>> = {
  voice: MicrophoneIcon,
  video: CameraIcon,
  chat: ChatIcon,
};

const CHOICE_ICONS: Readonly<Record<TopicChoice, () => preact.JSX.Element>> = {
  no_sound: NoSoundIcon,
  no_picture: NoPictureIcon,
  other: QuestionIcon,
};

export function StartPage({ state }: { state: HelpState }) {
  const { t, locale, controller } = useAmbience();
  const topics = useStore(controller.list.topics);
  // As it was at the tap: nothing moves under a finger when the server's list comes.
  const [list, setList] = useState<{ choice: TopicChoice; topics: readonly Topic[] } | null>(null);
  const [details, setDetails] = useState(state.note !== "");
  const busy = state.phase === "asking";
  const heading = useRef<HTMLHeadingElement>(null);
  // Coming back from a list, the page is read from its heading.
  const [returned, setReturned] = useState(false);
  useEffect(() => {
    if (returned) heading.current?.focus({ preventScroll: true });
  }, [returned, list]);

  const choose = (choice: TopicChoice): void => {
    const found = topicsOf(topics, choice);
    const listed = choice === "other" ? found.length > 0 : found.length > 1;
    if (listed) setList({ choice, topics: found });
    else void controller.asking.ask(found[0]?.id ?? lastResort(choice));
  };

  const back = (): void => {
    setList(null);
    setReturned(true);
  };

  if (list !== null) return <TopicsPage {...list} busy={busy} onBack={back} />;
  return (
    <div class="page start" data-page="start">
      <h2 ref={heading} tabindex={-1} class="lead">
        {t("start.title")}
      </h2>
      <div class="topics">
        {CHOICES.map((choice) => {
          const Icon = CHOICE_ICONS[choice];
          const found = topicsOf(topics, choice);
          const only = choice !== "other" && found.length === 1 ? found[0] : undefined;
          return (
            <button key={choice} type="button" class="topic large" data-topic={choice} disabled={busy} onClick={() => choose(choice)}>
              <Icon />
              <span>{only === undefined ? t(`topic.${choice}`) : topicName(only, locale, t)}</span>
            </button>
          );
        })}
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
