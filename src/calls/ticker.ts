import type { Clock, Timer } from "../core/clock.ts";

type Listener = (nowMs: number) => void;

/** Parts of a period. Calls are spread over them: the sound of one never waits behind the beats of all. */
const PARTS = 4;

/** One shared beat for all calls: a timer per call or per frame costs far more. It runs only while somebody listens. */
export class Ticker {
  readonly #clock: Clock;
  readonly #partMs: number;
  readonly #parts: readonly Set<Listener>[] = Array.from({ length: PARTS }, () => new Set<Listener>());
  /** The part that beat last. */
  #last = PARTS - 1;
  #timer: Timer | undefined;

  constructor(clock: Clock, periodMs = 40) {
    this.#clock = clock;
    this.#partMs = periodMs / PARTS;
  }

  /** Calls `listener` once in every period until the returned function is called. */
  add(listener: Listener): () => void {
    const part = this.#emptiest();
    part.add(listener);
    this.#timer ??= this.#clock.every(this.#partMs, () => this.#beat());
    return () => {
      part.delete(listener);
      if (this.#parts.some(({ size }) => size > 0)) return;
      this.#timer?.stop();
      this.#timer = undefined;
      this.#last = PARTS - 1;
    };
  }

  #beat(): void {
    this.#last = (this.#last + 1) % PARTS;
    const now = this.#clock.now();
    for (const each of this.#parts[this.#last] as Set<Listener>) each(now);
  }

  /** The part with the fewest; of those the one whose turn comes last, so that the first beat is a period away. */
  #emptiest(): Set<Listener> {
    let best = this.#parts[this.#last] as Set<Listener>;
    for (let ago = 1; ago < PARTS; ago++) {
      const part = this.#parts[(this.#last + PARTS - ago) % PARTS] as Set<Listener>;
      if (part.size < best.size) best = part;
    }
    return best;
  }
}
