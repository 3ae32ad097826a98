import { topicName } from "../shared/desk/topics";
import { lookup } from "../shared/i18n/staff";
import { useAmbience, useSession, useStore } from "./context";

/** Gives topics their names: the administrators', in the page's language. */
export function useTopicName(): (topic: string) => string {
  const { t, locale } = useAmbience();
  const { desk } = useSession();
  const names = useStore(desk.topics.names);
  return (topic) => topicName(names, topic, locale, lookup(t, `topic.${topic}`));
}
