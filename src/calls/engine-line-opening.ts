import { type Clock, sleep } from "../core/clock.ts";
import { EngineUnreachableError, VoiceError } from "../core/errors.ts";
import type { EngineFact, EngineSession, EngineTurn } from "../engines/engine.ts";

/** Opens a session that goes on from what was heard so far. @throws VoiceError it cannot be had */
export type OpenSession = (history: readonly EngineFact[], signal: AbortSignal) => Promise<EngineSession>;

/** A turn as the call's transcript holds it. */
export interface HeardTurn extends EngineTurn {
  /** The engine's id of its item: by it a session is told only what it does not know. */
  readonly id: string;
}

/** A session as it was opened. */
export interface Opened {
  readonly session: EngineSession;
  /** The items of which it was told. */
  readonly known: readonly string[];
  readonly atMs: number;
}

/** How long is waited before each further attempt; the last one repeats. */
const WAITS_MS = [500, 1_000, 2_000, 4_000];

/** The engines of one call, the one in use first, without those that were given up. */
export class Openers {
  readonly #clock: Clock;
  readonly #history: () => readonly HeardTurn[];
  #usable: readonly OpenSession[];

  constructor(usable: readonly OpenSession[], clock: Clock, history: () => readonly HeardTurn[]) {
    this.#clock = clock;
    this.#history = history;
    this.#usable = usable;
  }

  /** Gives up the engine in use. Says whether another is left. */
  drop(): boolean {
    this.#usable = this.#usable.slice(1);
    return this.#usable.length > 0;
  }

  /** Asks each engine once, best first. @throws VoiceError what the last one said */
  async first(signal: AbortSignal): Promise<Opened> {
    let failure: unknown;
    for (const opener of this.#usable) {
      try {
        return await this.#open(opener, signal);
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  }

  /** Asks, in turn and with growing pauses, until one opens. @throws VoiceError after `limitMs`, or when all refused */
  async again(limitMs: number, signal: AbortSignal): Promise<Opened> {
    const limit = new AbortController();
    let asked = this.#usable;
    let failure: unknown = new EngineUnreachableError(`No session with the speech model within ${limitMs / 1_000} s.`);
    const timer = this.#clock.after(limitMs, () => limit.abort(failure));
    const either = AbortSignal.any([signal, limit.signal]);
    try {
      for (let attempt = 0; asked.length > 0; attempt++) {
        const opener = asked[attempt % asked.length] as OpenSession;
        try {
          return await this.#open(opener, either);
        } catch (error) {
          either.throwIfAborted();
          failure = error;
          if (isRetryable(error)) await sleep(this.#clock, WAITS_MS[attempt] ?? (WAITS_MS.at(-1) as number), either);
          else asked = asked.filter((other) => other !== opener);
        }
      }
      throw failure;
    } finally {
      timer.stop();
    }
  }

  async #open(opener: OpenSession, signal: AbortSignal): Promise<Opened> {
    const history = this.#history();
    const known = history.map(({ id }) => id);
    const session = await opener(
      history.map(({ speaker, text }) => ({ speaker, text })),
      signal,
    );
    if (signal.aborted) {
      session.close();
      throw signal.reason;
    }
    this.#usable = [opener, ...this.#usable.filter((other) => other !== opener)];
    return { session, known, atMs: this.#clock.now() };
  }
}

// --- Internal helpers ---

/** A fault of our own is not mended by repeating it either. */
const isRetryable = (error: unknown): boolean => error instanceof VoiceError && error.retryable;
