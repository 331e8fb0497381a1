/** What the watch looks at on each tick. All times are on one clock, in milliseconds. */
export interface IdleFacts {
  /**
   * Since when it is for the caller to speak and nobody does, by playout. Absent while anybody speaks, the caller waits
   * for us, or the call is held. `SilenceMeter.callersTurnSinceMs` tells it.
   */
  readonly callersTurnSinceMs: number | undefined;
  /** When the caller last said words or pressed a key; noise is no sign of life. */
  readonly lastSignMs: number;
}

/** `prompt`: ask whether the caller is still there. `end`: say goodbye and end the call, as `idle`. */
export interface IdleAction {
  readonly idle: "prompt" | "end";
}

/** How long a caller may be silent, in milliseconds. */
export interface IdleLimits {
  /** Until they are asked whether they are there; 0 never asks, and never ends the call. */
  readonly promptMs: number;
  /** From the end of that question until the call ends. */
  readonly endMs: number;
}

/** Decides when a caller who says nothing is asked, and when their call ends. Pure: `tick` is called on every beat. */
export class IdleWatch {
  readonly #limits: IdleLimits;
  #promptedAtMs: number | undefined;
  #ended = false;

  constructor(limits: IdleLimits) {
    this.#limits = limits;
  }

  /** What to do at `nowMs`, if anything. */
  tick(nowMs: number, { callersTurnSinceMs, lastSignMs }: IdleFacts): IdleAction | undefined {
    const { promptMs, endMs } = this.#limits;
    if (this.#promptedAtMs !== undefined && lastSignMs > this.#promptedAtMs) this.#promptedAtMs = undefined;
    if (promptMs === 0 || this.#ended || callersTurnSinceMs === undefined) return undefined;
    const idleSinceMs = Math.max(callersTurnSinceMs, lastSignMs, this.#promptedAtMs ?? callersTurnSinceMs);
    if (this.#promptedAtMs === undefined) {
      if (nowMs - idleSinceMs < promptMs) return undefined;
      this.#promptedAtMs = nowMs;
      return { idle: "prompt" };
    }
    if (nowMs - idleSinceMs < endMs) return undefined;
    this.#ended = true;
    return { idle: "end" };
  }
}
