import { useEffect, useRef } from "preact/hooks";
import { lastResort, type Topic, type TopicChoice } from "../../shared/help/topics";
import type { Locale } from "../../shared/i18n";
import type { Translate } from "../../shared/i18n/student/translate";
import { useAmbience } from "../context";
import { BackIcon } from "../icons";

/** What exactly it is, where a big choice stands for several topics. */
export function TopicsPage({ choice, topics, busy, onBack }: {
  choice: TopicChoice;
  topics: readonly Topic[];
  busy: boolean;
  onBack: () => void;
}) {
  const { t, locale, controller } = useAmbience();
  const resort = lastResort(choice);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <div class="page start" data-page={choice}>
      <button type="button" class="back" data-action="back-to-start" onClick={onBack}>
        <BackIcon />
        {t("panel.back")}
      </button>
      <h2 ref={heading} tabindex={-1}>{t(choice === "other" ? "start.otherTitle" : "start.whichTitle")}</h2>
      <div class="topics small">
        {topics.map((topic) => (
          <button key={topic.id} type="button" class="topic" data-topic={topic.id} disabled={busy} onClick={() => void controller.asking.ask(topic.id)}>
            {topicName(topic, locale, t)}
          </button>
        ))}
      </div>
      <button type="button" class="button wide quiet" data-topic={resort} disabled={busy} onClick={() => void controller.asking.ask(resort)}>
        {t("start.otherSkip")}
      </button>
      <Busy busy={busy} />
    </div>
  );
}

/** A topic in words: the administrators', else our own. */
export function topicName(topic: Topic, locale: Locale, t: Translate): string {
  if (topic.words === null) return t(`topic.${topic.id}`);
  return [topic.words[locale], topic.words.en, topic.words["zh-CN"]].find((text) => text !== "") ?? topic.id;
}

export function Busy({ busy }: { busy: boolean }) {
  const { t } = useAmbience();
  return (
    <p class="busy" role="status">
      {busy ? t("start.asking") : ""}
    </p>
  );
}
