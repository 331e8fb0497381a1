import { SAMPLE_RATE } from "./g711.ts";
import type { Side, StereoTape } from "./stereo-tape.ts";

/** What is off by no more stays where it is: sound that goes on is not cut because a frame came a little late. */
const TOLERANCE = (40 * SAMPLE_RATE) / 1000;
/** Frames that are late for so long were spoken late: what stood between was lost. Those of a burst are not. */
const LOST_AFTER = (300 * SAMPLE_RATE) / 1000;

/**
 * Lays frames on a tape as they come. They follow one another without a gap, however late some arrive: a network and a
 * busy process hold frames up, and then bring many at once. Only when all of them keep coming late, some were lost, and
 * the later ones are moved to where they belong; and when one comes before it can have been spoken, those before it
 * were held up from the first on.
 */
export class FrameTrack {
  readonly #tape: StereoTape;
  readonly #side: Side;
  #runFrom = 0;
  #next: number | undefined;
  #lateFrom: number | undefined;
  #lateSince = 0;
  #leastLate = 0;

  constructor(tape: StereoTape, side: Side) {
    this.#tape = tape;
    this.#side = side;
  }

  /** Where the next frame goes; undefined before the first. */
  get next(): number | undefined {
    return this.#next;
  }

  /** A frame came at `now`, in samples. */
  add(frame: Uint8Array, now: number): void {
    if (this.#next === undefined) {
      this.#next = now - frame.length;
      this.#runFrom = this.#next;
    }
    const at = this.#next;
    this.#tape.lay(this.#side, at, frame);
    this.#next = at + frame.length;
    const late = now - this.#next;
    if (late < -TOLERANCE) {
      this.#shift(this.#runFrom, late);
      this.#runFrom += late;
    }
    if (late <= TOLERANCE) {
      this.#lateFrom = undefined;
      return;
    }
    if (this.#lateFrom === undefined) {
      this.#lateFrom = at;
      this.#lateSince = now;
      this.#leastLate = late;
    }
    this.#leastLate = Math.min(this.#leastLate, late);
    if (now - this.#lateSince < LOST_AFTER) return;
    this.#shift(this.#lateFrom, this.#leastLate);
    this.#runFrom = this.#lateFrom + this.#leastLate;
    this.#lateFrom = undefined;
  }

  #shift(from: number, by: number): void {
    const until = this.#next as number;
    this.#tape.move(this.#side, from, until, by);
    this.#next = until + by;
  }
}
