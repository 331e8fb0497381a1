import { type Clock, sleep } from "../core/clock.ts";
import { EngineUnreachableError, VoiceError } from "../core/errors.ts";
import type { EngineFact, EngineSession } from "../engines/engine.ts";

/** Opens a session that goes on from what was heard so far. @throws VoiceError it cannot be had */
export type OpenSession = (history: readonly EngineFact[], signal: AbortSignal) => Promise<EngineSession>;

/** How long is waited before each further attempt; the last one repeats. */
const WAITS_MS = [500, 1_000, 2_000, 4_000];

/** The engines of one call, the one in use first, without those that have refused for good. */
export class Openers {
  readonly #clock: Clock;
  #usable: readonly OpenSession[];

  constructor(usable: readonly OpenSession[], clock: Clock) {
    this.#clock = clock;
    this.#usable = usable;
  }

  /** Gives up the engine in use. Says whether another is left. */
  drop(): boolean {
    this.#usable = this.#usable.slice(1);
    return this.#usable.length > 0;
  }

  /** Asks each engine once, best first. @throws VoiceError what the last one said */
  async first(history: () => readonly EngineFact[], signal: AbortSignal): Promise<EngineSession> {
    let failure: unknown;
    for (const opener of this.#usable) {
      try {
        return this.#used(opener, await opener(history(), signal));
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
        if (!isRetryable(error)) this.#refused(opener);
      }
    }
    throw failure;
  }

  /** Asks, in turn and with growing pauses, until one opens. @throws VoiceError after `limitMs`, or when all refused */
  async again(history: () => readonly EngineFact[], limitMs: number, signal: AbortSignal): Promise<EngineSession> {
    const limit = new AbortController();
    const tooLong = new EngineUnreachableError(`No new session with the speech model within ${limitMs / 1000} s.`);
    const timer = this.#clock.after(limitMs, () => limit.abort(tooLong));
    const either = AbortSignal.any([signal, limit.signal]);
    let failure: unknown = tooLong;
    try {
      for (let attempt = 0; this.#usable.length > 0; attempt++) {
        const opener = this.#usable[attempt % this.#usable.length] as OpenSession;
        try {
          return this.#used(opener, await opener(history(), either));
        } catch (error) {
          either.throwIfAborted();
          failure = error;
          if (isRetryable(error)) await sleep(this.#clock, WAITS_MS[attempt] ?? (WAITS_MS.at(-1) as number), either);
          else this.#refused(opener);
        }
      }
      throw failure;
    } finally {
      timer.stop();
    }
  }

  #used(opener: OpenSession, session: EngineSession): EngineSession {
    this.#usable = [opener, ...this.#usable.filter((other) => other !== opener)];
    return session;
  }

  #refused(opener: OpenSession): void {
    this.#usable = this.#usable.filter((other) => other !== opener);
  }
}

// --- Internal helpers ---

/** A fault of our own is not mended by repeating it either. */
const isRetryable = (error: unknown): boolean => error instanceof VoiceError && error.retryable;
