import type { Clock, Timer } from "../core/clock.ts";

/** A clock that holds a timer of the machine's. */
export interface SteadyClock extends Clock {
  /** Stands still until this is done: work outside the call that takes the machine's time, such as a voice's. */
  during<T>(work: Promise<T>): Promise<T>;
  /** Ends it: it shows the same time from now on, and runs nothing more. */
  stop(): void;
}

export interface SteadyClockOptions {
  /** Seconds that pass in a real second. Default 1. */
  readonly speed?: number;
  /** The machine's own time and timer, milliseconds; a test hands in others. */
  readonly real?: { now(): number; every(periodMs: number, action: () => void): () => void };
}

/** How often the real timer fires, milliseconds: as often as Node allows. */
const BEAT_MS = 1;
/** The most of real time that may pass between two looks at it; whatever is longer, the process stood still. */
const LONGEST_BEAT_MS = 4;

/**
 * A clock for calls whose every part is in this process, and runs by it: plugin, telephones and model. It stands
 * still whenever the process does, and slows down when the process cannot keep up, so that what a call does in time
 * is the same on a machine that is busy. By a clock that goes on, a call of which both sides stood still for half a
 * second at eight times real time had four seconds of silence in it, for which nobody is to blame.
 */
export function steadyClock({ speed = 1, real = machine }: SteadyClockOptions = {}): SteadyClock {
  /** Timers that are running, the next to fire first. */
  const queue: Alarm[] = [];
  let atMs = Date.now();
  let seenMs = real.now();
  let holds = 0;
  let stopped = false;

  const now = () =>
    stopped || holds > 0 ? atMs : atMs + Math.min(Math.max(0, real.now() - seenMs), LONGEST_BEAT_MS) * speed;
  const look = (): void => {
    atMs = now();
    seenMs = real.now();
  };
  const add = (alarm: Alarm): void => {
    const at = queue.findLastIndex(({ dueMs }) => dueMs <= alarm.dueMs);
    queue.splice(at + 1, 0, alarm);
  };
  const remove = (alarm: Alarm): boolean => {
    const at = queue.indexOf(alarm);
    return at !== -1 && queue.splice(at, 1).length > 0;
  };
  const start = (delayMs: number, periodMs: number | undefined, action: () => void): Timer => {
    const alarm: Alarm = { dueMs: now() + delayMs, periodMs, action };
    if (!stopped) add(alarm);
    return {
      stop() {
        alarm.periodMs = undefined;
        remove(alarm);
      },
    };
  };
  const endBeat = real.every(BEAT_MS, () => {
    look();
    // What an action starts is for a later beat: sockets are read between two.
    const due = queue.findIndex(({ dueMs }) => dueMs > atMs);
    for (const alarm of queue.slice(0, due === -1 ? queue.length : due)) {
      if (!remove(alarm)) continue; // an earlier one stopped it
      if (alarm.periodMs !== undefined) {
        alarm.dueMs = Math.max(alarm.dueMs + alarm.periodMs, atMs);
        add(alarm);
      }
      alarm.action();
    }
  });

  return {
    now,
    after: (delayMs, action) => start(delayMs, undefined, action),
    every: (periodMs, action) => start(periodMs, periodMs, action),
    during(work) {
      look();
      holds += 1;
      return work.finally(() => {
        look();
        holds -= 1;
      });
    },
    stop() {
      look();
      stopped = true;
      endBeat();
      queue.length = 0;
    },
  };
}

// --- Internal helpers ---

interface Alarm {
  dueMs: number;
  /** Nothing: it fires once. */
  periodMs: number | undefined;
  readonly action: () => void;
}

const machine = {
  now: () => performance.now(),
  every(periodMs: number, action: () => void) {
    const handle = setInterval(action, periodMs);
    handle.unref();
    return () => clearInterval(handle);
  },
};
