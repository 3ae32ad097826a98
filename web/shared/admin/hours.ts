import type { Schemas } from "../api/client";

export type OpenHours = Schemas["HoursAnswer"];

const DAY_MINUTES = 1440;

/** Minutes after midnight as `09:30`. */
export function clockOf(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}

/** From `09:30` to minutes; an end that is not after the start is the next day's. */
export function minutesOf(weekdays: readonly number[], opens: string, closes: string): OpenHours {
  const [from, to] = [minuteOf(opens), minuteOf(closes)];
  return { weekdays: [...weekdays].sort((one, other) => one - other), opens_minute: from, closes_minute: to > from ? to : to + DAY_MINUTES };
}

function minuteOf(clock: string): number {
  const [hours = 0, minutes = 0] = clock.split(":").map(Number);
  return hours * 60 + minutes;
}
