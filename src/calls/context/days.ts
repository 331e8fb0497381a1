import { TZDate } from "@date-fns/tz/date";
import { lightFormat } from "date-fns/lightFormat";
import { subDays } from "date-fns/subDays";

/** The calendar day of a moment in an IANA time zone, as daily files are named: `2026-03-01`. */
export function dayOf(atMs: number, timeZone: string): string {
  return lightFormat(new TZDate(atMs, timeZone), "yyyy-MM-dd");
}

/** The time of a moment in an IANA time zone: `14:05`. */
export function timeOf(atMs: number, timeZone: string): string {
  return lightFormat(new TZDate(atMs, timeZone), "HH:mm");
}

/** The day of the week and the date of a moment in an IANA time zone, as they are said: `Sunday, 1 March`. */
export function spokenDayOf(atMs: number, timeZone: string): string {
  const day = new Intl.DateTimeFormat("en-GB", { timeZone, weekday: "long", day: "numeric", month: "long" });
  return day.format(atMs);
}

/** The last `count` calendar days in an IANA time zone, the day of the moment first. */
export function lastDays(atMs: number, timeZone: string, count: number): readonly string[] {
  const now = new TZDate(atMs, timeZone);
  // Days are counted on the calendar: one is 23 or 25 hours long when clocks change.
  return Array.from({ length: count }, (_, ago) => lightFormat(subDays(now, ago), "yyyy-MM-dd"));
}

/** A length of time as people write it: `3 min 12 s`. */
export function lengthOf(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
