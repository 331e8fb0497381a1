import { MULAW_SILENCE } from "./g711.ts";
import { STEREO_BYTES } from "./wav-mulaw.ts";

/** Which side of a stereo recording: the caller is left, the agent right. */
export type Side = "caller" | "agent";

/** Samples that a tape holds: four seconds, a power of two. */
const ROOM = 32_768;

/**
 * The stretch of a call's sound that is not written down yet, both sides by the time at which they sounded. What comes
 * late, early or in pieces is laid where it belongs, what never came is silence, and what was laid may be taken back
 * until it is taken off. Its memory is used again and again. Times are samples from the answer of the call.
 */
export class StereoTape {
  readonly #ring = new Uint8Array(ROOM * STEREO_BYTES).fill(MULAW_SILENCE);
  #from: number;

  constructor(from: number) {
    this.#from = from;
  }

  /** The first sample that was not taken off yet. */
  get from(): number {
    return this.#from;
  }

  /** The first sample for which there is no room yet. */
  get until(): number {
    return this.#from + ROOM;
  }

  /** Lays sound of one side; what lies outside of the tape is left out. */
  lay(side: Side, at: number, audio: Uint8Array): void {
    const ring = this.#ring;
    const first = Math.max(at, this.#from);
    const end = Math.min(at + audio.length, this.until);
    for (let sample = first; sample < end; sample++) ring[placeOf(side, sample)] = audio[sample - at] as number;
  }

  /** Makes silence of one side between two times. */
  wipe(side: Side, from: number, until: number): void {
    const end = Math.min(until, this.until);
    for (let sample = Math.max(from, this.#from); sample < end; sample++) {
      this.#ring[placeOf(side, sample)] = MULAW_SILENCE;
    }
  }

  /** Moves what one side has between two times by `by` samples; where it was is silence, as far as it is not there again. */
  move(side: Side, from: number, until: number, by: number): void {
    const first = Math.max(from, this.#from);
    const moved = new Uint8Array(Math.max(0, Math.min(until, this.until) - first));
    for (let i = 0; i < moved.length; i++) moved[i] = this.#ring[placeOf(side, first + i)] as number;
    this.wipe(side, first, first + moved.length);
    this.lay(side, first + by, moved);
  }

  /** Takes the oldest samples off, both sides of each behind one another, as many as fit into `into`. */
  takeOff(into: Uint8Array): void {
    const bytes = into.length;
    const start = (this.#from & (ROOM - 1)) * STEREO_BYTES;
    const whole = Math.min(bytes, this.#ring.length - start);
    into.set(this.#ring.subarray(start, start + whole));
    this.#ring.fill(MULAW_SILENCE, start, start + whole);
    if (whole < bytes) {
      into.set(this.#ring.subarray(0, bytes - whole), whole);
      this.#ring.fill(MULAW_SILENCE, 0, bytes - whole);
    }
    this.#from += bytes / STEREO_BYTES;
  }
}

// --- Internal helpers ---

/** The byte of a sample. */
function placeOf(side: Side, sample: number): number {
  return (sample & (ROOM - 1)) * STEREO_BYTES + (side === "caller" ? 0 : 1);
}
