import { type Clock, systemClock } from "../../src/core/clock.ts";

/** A clock that several processes read alike, also one that is started later: `speed` times real time since `originMs`. */
export interface SharedTime {
  /** Milliseconds since the epoch, by the machine, at which both clocks showed the same. */
  readonly originMs: number;
  readonly speed: number;
}

export function sharedClock({ originMs, speed }: SharedTime): Clock {
  return {
    ...systemClock({ speed }),
    now: () => originMs + (performance.timeOrigin + performance.now() - originMs) * speed,
  };
}
