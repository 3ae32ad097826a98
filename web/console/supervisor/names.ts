import { lookup, type StaffTranslate } from "../../shared/i18n/staff";

/** A topic in words; topics of the school's own stand as they are named. */
export function topicName(t: StaffTranslate, topic: string): string {
  return lookup(t, `topic.${topic}`) ?? topic;
}
