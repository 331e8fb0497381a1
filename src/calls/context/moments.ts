/** Writes moments of one time zone. */
export interface Moments {
  /** `2026-03-01` */
  day(atMs: number): string;
  /** `2026-03-01 14:05` */
  minute(atMs: number): string;
}

/** As `dayOf` and `timeOf`, for many moments: what costs there for each is done here once. */
export function momentsIn(timeZone: string): Moments {
  // Swedish writes dates and times as ISO 8601 does.
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" });
  return {
    day: (atMs) => format.format(atMs).slice(0, 10),
    minute: (atMs) => format.format(atMs),
  };
}
