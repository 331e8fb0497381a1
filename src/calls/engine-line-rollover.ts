import type { Clock, Timer } from "../core/clock.ts";
import type { VoiceError } from "../core/errors.ts";
import type { Opened } from "./engine-line-opening.ts";

export interface RollOverParts {
  readonly clock: Clock;
  /** How old a session becomes before a new one is opened beside it. */
  readonly afterMs: number;
  /** Opens the new one, trying for so long. @throws VoiceError */
  readonly open: (limitMs: number) => Promise<Opened>;
  /** A new one is there and waits for its moment. */
  readonly onReady: () => void;
  readonly onFault: (error: VoiceError) => void;
}

/** The take-over does not wait for a quiet moment beyond this share of `afterMs`: 97 % of a limit that it is 80 % of. */
const LATEST = 97 / 80;
const AGAIN_AFTER_MS = 30_000;
const LEAST_OPENING_MS = 1_000;

/** Has a new session ready before the engine ends an old one. */
export class RollOver {
  readonly #parts: RollOverParts;
  #timer: Timer | undefined;
  #next: Opened | undefined;
  #latestMs = 0;
  /** Counts the sessions that were watched: an opening that was overtaken is discarded. */
  #round = 0;

  constructor(parts: RollOverParts) {
    this.#parts = parts;
  }

  get isReady(): boolean {
    return this.#next !== undefined;
  }

  /** Watches over a session that was opened at `openedAtMs`. */
  begin(openedAtMs: number): void {
    this.stop();
    const { clock, afterMs } = this.#parts;
    this.#latestMs = openedAtMs + afterMs * LATEST;
    this.#prepareIn(openedAtMs + afterMs - clock.now());
  }

  /** Whether the new session is to take over now, quiet or not. */
  isPressing(nowMs: number): boolean {
    return nowMs >= this.#latestMs;
  }

  /** Takes the new session, if there is one. */
  take(): Opened | undefined {
    const next = this.#next;
    this.#next = undefined;
    return next;
  }

  /** Watches no more, and lets the new session go. */
  stop(): void {
    this.#round += 1;
    this.#timer?.stop();
    this.take()?.session.close();
  }

  #prepareIn(delayMs: number): void {
    this.#timer?.stop();
    this.#timer = this.#parts.clock.after(Math.max(0, delayMs), () => void this.#prepare(this.#round));
  }

  async #prepare(round: number): Promise<void> {
    const { clock, open, onReady, onFault } = this.#parts;
    try {
      const opened = await open(Math.max(LEAST_OPENING_MS, this.#latestMs - clock.now()));
      if (round !== this.#round) {
        opened.session.close();
        return;
      }
      this.#next = opened;
      opened.session.on("closed", () => {
        if (this.#next !== opened) return;
        this.#next = undefined;
        this.#prepareIn(AGAIN_AFTER_MS);
      });
      onReady();
    } catch (error) {
      if (round !== this.#round) return;
      onFault(error as VoiceError);
      this.#prepareIn(AGAIN_AFTER_MS);
    }
  }
}
