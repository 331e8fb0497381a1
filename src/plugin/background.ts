import { type Clock, sleep } from "../core/clock.ts";
import type { Logger } from "../hosts/host.ts";

/** Work that goes on outside any call. What fails is logged; at the end it is waited for. */
export class Background {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stopping: AbortSignal;
  readonly #running = new Set<Promise<void>>();

  /** Once `stopping` is aborted failures are expected, and are not logged. */
  constructor(clock: Clock, logger: Logger, stopping: AbortSignal) {
    this.#clock = clock;
    this.#logger = logger;
    this.#stopping = stopping;
  }

  /** Takes work over. Resolves when it is done, also if it failed. */
  add(work: Promise<unknown>): Promise<void> {
    const settled: Promise<void> = work.then(
      () => {},
      (error: unknown) => {
        if (!this.#stopping.aborted) this.#logger.error("Background work failed.", { error: String(error) });
      },
    );
    this.#running.add(settled);
    void settled.then(() => this.#running.delete(settled));
    return settled;
  }

  /** Resolves when all is done that runs now, or after `limitMs`. */
  async settle(limitMs: number): Promise<void> {
    await within(this.#clock, limitMs, Promise.all(this.#running));
  }
}

/** Resolves when the work is done, or after `limitMs`. */
export async function within(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<void> {
  const enough = new AbortController();
  await Promise.race([work, sleep(clock, limitMs, enough.signal).catch(() => {})]);
  enough.abort();
}
