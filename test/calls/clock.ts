import type { Clock } from "../../src/core/clock.ts";

/** A clock that stands still until it is moved. */
export interface HandClock extends Clock {
  /** Moves on, running what comes due on the way, in order. */
  pass(ms: number): void;
  /** How many timers run. */
  readonly running: number;
}

export function handClock(startMs = 1_000_000): HandClock {
  interface Due {
    atMs: number;
    readonly everyMs?: number;
    readonly action: () => void;
  }
  const timers = new Set<Due>();
  let now = startMs;
  const start = (timer: Due) => {
    timers.add(timer);
    return { stop: () => void timers.delete(timer) };
  };
  return {
    now: () => now,
    after: (delayMs, action) => start({ atMs: now + delayMs, action }),
    every: (periodMs, action) => start({ atMs: now + periodMs, everyMs: periodMs, action }),
    get running() {
      return timers.size;
    },
    pass(ms) {
      const until = now + ms;
      for (;;) {
        const [next] = [...timers].filter(({ atMs }) => atMs <= until).sort((a, b) => a.atMs - b.atMs);
        if (!next) break;
        now = next.atMs;
        if (next.everyMs === undefined) timers.delete(next);
        else next.atMs += next.everyMs;
        next.action();
      }
      now = until;
    },
  };
}
