import type { Locale } from "../shared/i18n";

/** A time of day, with the day where it is not today. */
export function clockTime(at: Date, locale: Locale, now = new Date()): string {
  const sameDay = at.toDateString() === now.toDateString();
  const options: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hour12: false };
  if (!sameDay) {
    options.month = "short";
    options.day = "numeric";
  }
  return new Intl.DateTimeFormat(locale, options).format(at);
}

/** Times that are easy to choose for a call-back, from soon to tomorrow. */
export function callbackTimes(
  now: Date,
  lessonEndsAt: string | null,
): { key: "soon" | "in30" | "afterLesson" | "tonight" | "tomorrow"; at: Date | null }[] {
  const at = (hour: number, days: number): Date => {
    const day = new Date(now);
    day.setDate(day.getDate() + days);
    day.setHours(hour, 0, 0, 0);
    return day;
  };
  const times: ReturnType<typeof callbackTimes> = [{ key: "soon", at: null }];
  const lesson = lessonEndsAt === null ? null : new Date(lessonEndsAt);
  const minutes = 60_000;
  if (lesson !== null && lesson.getTime() > now.getTime() + minutes) {
    times.push({ key: "afterLesson", at: new Date(lesson.getTime() + 2 * minutes) });
  }
  times.push({ key: "in30", at: new Date(now.getTime() + 30 * minutes) });
  if (now.getHours() < 19) times.push({ key: "tonight", at: at(20, 0) });
  times.push({ key: "tomorrow", at: at(10, 1) });
  return times;
}
