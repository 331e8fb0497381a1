import { MULAW_TO_LINEAR, SAMPLE_RATE } from "./g711.ts";

/** Samples of one decimated sample. */
export const DECIMATION = 4;
/** Decimated samples a millisecond. */
const PER_MS = SAMPLE_RATE / DECIMATION / 1_000;
/** What is kept of the agent: the longest echo, what is compared, and what lies at the carrier; a power of two. */
const KEPT = 4_096;
/** The longest way of an echo, there and back. */
const LONGEST = 480 * PER_MS;
/** How much of the caller is compared at once. */
const WINDOW = 80 * PER_MS;
/** A known lag moves by no more, as the dating of frames does. */
const DRIFT = 6 * PER_MS;
/** Telephones differ most below 300 Hz; what they agree on is brought out. */
const EMPHASIS = 0.7;
/** Correlation that 80 ms of different voices hardly ever have, and of the same sound nearly always. */
const SAME = 0.64;
/** No echo is louder than so much of what it comes from: −2 dB, as power. */
const MOST_GAIN = 0.63;
/** So many agreeing matches, and how our voice comes back is known. */
const SURE = 3;
/** What stands out of the expected echo by more than 6 dB is something else. */
const ABOVE_ECHO = 4;
/** Below so much nothing of the agent is there to come back. */
const SILENT_POWER = (0.001 * 32_768) ** 2;
/** The agent's vowels are above so much. */
const LOUD_POWER = (0.05 * 32_768) ** 2;

/**
 * The sum of products of `count` samples of `a` from `atA` on and of `b` from `atB` on; `count` is a multiple of four.
 * Four sums at once, so that no addition waits for the one before it: three times as fast.
 */
export function product(a: Float64Array, atA: number, b: Float64Array, atB: number, count: number): number {
  let one = 0;
  let two = 0;
  let three = 0;
  let four = 0;
  for (let i = 0; i < count; i += 4) {
    one += (a[atA + i] as number) * (b[atB + i] as number);
    two += (a[atA + i + 1] as number) * (b[atB + i + 1] as number);
    three += (a[atA + i + 2] as number) * (b[atB + i + 2] as number);
    four += (a[atA + i + 3] as number) * (b[atB + i + 3] as number);
  }
  return one + two + three + four;
}

/**
 * Knows our own voice when it comes back: by the sound itself, so that it needs no more than 80 ms of it, also at the
 * first word of a call; and then, by lag and gain, how loud it is to be expected from frame to frame.
 */
export class EchoEar {
  readonly #agent = new Float32Array(KEPT);
  /** The newest `WINDOW` samples of the caller. */
  readonly #caller = new Float64Array(WINDOW);
  /** The first sample that was never written. */
  #until = 0;
  #lastSent = 0;
  #lastHeard = 0;
  #lag = 0;
  #gain = 0;
  #matches = 0;

  /** The agent's voice plays at the caller's ear from `startsAtMs` on; told at most a second ahead. */
  plays(audio: Uint8Array, startsAtMs: number): void {
    const start = Math.round(startsAtMs * PER_MS);
    if (start > this.#until) this.#blank(Math.max(this.#until, start - KEPT), start);
    const count = Math.floor(audio.length / DECIMATION);
    for (let i = 0, at = 0; i < count; i++, at += DECIMATION) {
      const sum =
        (MULAW_TO_LINEAR[audio[at] as number] as number) +
        (MULAW_TO_LINEAR[audio[at + 1] as number] as number) +
        (MULAW_TO_LINEAR[audio[at + 2] as number] as number) +
        (MULAW_TO_LINEAR[audio[at + 3] as number] as number);
      this.#agent[(start + i) & (KEPT - 1)] = sum - EMPHASIS * this.#lastSent;
      this.#lastSent = sum;
    }
    this.#until = start + count;
  }

  /** What was to play after `nowMs` does not. */
  cleared(nowMs: number): void {
    const from = Math.round(nowMs * PER_MS);
    if (from < this.#until) this.#blank(Math.max(from, this.#until - KEPT), this.#until);
    this.#until = Math.min(this.#until, from);
  }

  /** Takes one frame of the caller: sums of `DECIMATION` samples. */
  hears(low: Float64Array): void {
    const caller = this.#caller;
    caller.copyWithin(0, low.length);
    for (let i = 0, at = WINDOW - low.length; i < low.length; i++, at++) {
      const sum = low[i] as number;
      caller[at] = sum - EMPHASIS * this.#lastHeard;
      this.#lastHeard = sum;
    }
  }

  /** Whether it is known how our voice comes back. */
  get known(): boolean {
    return this.#matches >= SURE;
  }

  /** Whether the agent is so loud now that its echo, if there is one, should be heard within half a second. */
  isDue(endedAtMs: number): boolean {
    return this.#power(Math.round(endedAtMs * PER_MS), 20 * PER_MS) > LOUD_POWER;
  }

  /** Whether the newest frame, of `length` samples, is no louder than our voice that is known to come back. */
  explains(endedAtMs: number, length: number): boolean {
    if (!this.known) return false;
    const end = Math.round(endedAtMs * PER_MS) - this.#lag;
    let heard = 0;
    for (let i = WINDOW - length; i < WINDOW; i++) heard += (this.#caller[i] as number) ** 2;
    // What came just before counts too: frames are dated to some milliseconds, and rooms hold a sound for a while.
    const sent = Math.max(this.#power(end + DRIFT, length), this.#power(end - length / 2, length));
    return heard / length < ABOVE_ECHO * this.#gain * sent;
  }

  /** Whether what was heard last is our own voice; from that it learns how the voice comes back. Costs some 0.2 ms. */
  isOurs(endedAtMs: number): boolean {
    const end = Math.round(endedAtMs * PER_MS);
    if (this.#power(end, LONGEST + WINDOW) < SILENT_POWER) return false;
    const known = this.#matches > 0 && this.#find(end, this.#lag - DRIFT, this.#lag + DRIFT);
    return known || this.#find(end, 0, LONGEST);
  }

  #find(end: number, fromLag: number, untilLag: number): boolean {
    const caller = this.#caller;
    const shortest = Math.max(0, fromLag);
    const lags = untilLag - shortest + 1;
    // Out of the ring in one stretch, oldest first: the longest lag begins it.
    const sent = new Float64Array(lags - 1 + WINDOW);
    for (let i = 0, at = end - untilLag - WINDOW; i < sent.length; i++, at++) {
      sent[i] = this.#agent[at & (KEPT - 1)] as number;
    }
    let heardPower = 1;
    let sentPower = 1;
    for (let i = 0; i < WINDOW; i++) {
      heardPower += (caller[i] as number) ** 2;
      sentPower += (sent[i] as number) ** 2;
    }
    let best = 0;
    let bestAt = 0;
    let bestPower = 1;
    for (let at = 0; at < lags; at++) {
      const cross = product(sent, at, caller, 0, WINDOW);
      const likeness = (cross * cross) / (sentPower * heardPower);
      if (likeness > best) {
        best = likeness;
        bestAt = at;
        bestPower = sentPower;
      }
      if (at + 1 < lags) sentPower += (sent[at + WINDOW] as number) ** 2 - (sent[at] as number) ** 2;
    }
    const gain = heardPower / bestPower;
    if (best < SAME ** 2 || bestPower < SILENT_POWER * WINDOW || gain > MOST_GAIN) return false;
    const lag = untilLag - bestAt;
    const agrees = this.#matches > 0 && Math.abs(lag - this.#lag) <= DRIFT;
    this.#gain = agrees ? this.#gain + (gain - this.#gain) / this.#matches : gain;
    this.#matches = agrees ? Math.min(this.#matches + 1, 8) : 1;
    this.#lag = lag;
    return true;
  }

  #power(end: number, length: number): number {
    let sum = 0;
    for (let i = end - length; i < end; i++) sum += (this.#agent[i & (KEPT - 1)] as number) ** 2;
    return sum / length;
  }

  #blank(from: number, until: number): void {
    for (let i = from; i < until; i++) this.#agent[i & (KEPT - 1)] = 0;
  }
}
