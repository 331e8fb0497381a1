import type { Clock } from "../../src/core/clock.ts";

/** A clock that stands still until it is moved. */
export interface HandClock extends Clock {
  /** Moves on, running what comes due on the way, in order. */
  pass(ms: number): void;
  /** Moves on at once, as when the process stood still: each timer that has come due meanwhile runs once, at the end. */
  jump(ms: number): void;
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
    jump(ms) {
      now += ms;
      for (const timer of [...timers].filter(({ atMs }) => atMs <= now)) {
        if (timer.everyMs === undefined) timers.delete(timer);
        else timer.atMs += Math.ceil((now - timer.atMs + 1) / timer.everyMs) * timer.everyMs;
        timer.action();
      }
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
