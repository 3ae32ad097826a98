import { formatClock } from "../shared/format";
import type { Locale } from "../shared/i18n";
import { lookup, type StaffTranslate } from "../shared/i18n/staff";

const DAY_MS = 24 * 3600 * 1000;

/** A moment in the past as people say it: today and yesterday by name, else the date. */
export function whenText(t: StaffTranslate, locale: Locale, at: string | number, nowMs: number = Date.now()): string {
  const then = typeof at === "number" ? at : Date.parse(at);
  const midnight = new Date(nowMs).setHours(0, 0, 0, 0);
  const time = formatClock(then, locale);
  if (then >= midnight) return t("time.today", { time });
  if (then >= midnight - DAY_MS) return t("time.yesterday", { time });
  const sameYear = new Date(then).getFullYear() === new Date(nowMs).getFullYear();
  return new Intl.DateTimeFormat(locale, {
    ...(sameYear ? {} : { year: "numeric" }),
    month: "numeric",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
  }).format(then);
}

/** An answer to one of our own questions in words; everything else as it came. */
export function answerText(t: StaffTranslate, question: string, answer: string): string {
  if (answer === "true") return t("student.yes");
  if (answer === "false") return t("student.no");
  return lookup(t, `answer.${question}.${answer}`) ?? (answer === "unsure" ? t("answer.unsure") : answer);
}
