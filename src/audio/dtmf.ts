import { linearToMulaw, MULAW_SILENCE, MULAW_TO_LINEAR, SAMPLE_RATE } from "./g711.ts";

/** The keypad's frequencies in hertz (ITU-T Q.23): each key sounds one of its row and one of its column. */
const ROWS_HZ = [697, 770, 852, 941] as const;
const COLUMNS_HZ = [1209, 1336, 1477, 1633] as const;
/** Row by row, as the frequencies are. */
const KEYS = "123A456B789C*0#D";
const PAUSES = "w,";

/** How long one key sounds, in milliseconds: shorter ones are not recognised, longer ones are taken for held keys. */
export const TONE_MS = { least: 50, usual: 160, most: 500 } as const;
/** Milliseconds that `w` and `,` wait in a sequence of keys. */
export const PAUSE_MS = 500;
const USUAL_GAP_MS = 80;
/** Receivers take a tone of 40 ms and none of 20 (ITU-T Q.24); between the two it is anybody's guess. */
const RECOGNISED_MS = 30;
const USUAL_DBFS = -9;
/** Lines lose more of the high tones: senders give them a little more (ITU-T Q.24 lets 4 dB arrive). */
const TWIST_DB = 2;
/** Tones swell and fade in so long: one that is cut off clicks, and its click is no part of any key. */
const RAMP_MS = 3;

/** Whether `key` is on a telephone keypad: 0-9, `*`, `#`, A-D. */
export const isKey = (key: string): boolean => key.length === 1 && KEYS.includes(key);

/** Whether `text` can be sent by `dtmfSequence`: keys and the pauses `w` and `,`, with one key at least. */
export const isKeySequence = (text: string): boolean =>
  [...text].every((one) => isKey(one) || PAUSES.includes(one)) && [...text].some(isKey);

/** How keys are sounded. */
export interface KeyTiming {
  /** Milliseconds of each key, 50 to 500; 160 unless told. */
  readonly durationMs?: number;
  /** Milliseconds of silence after each key; 80 unless told. */
  readonly gapMs?: number;
}

/**
 * The signal of one key in µ-law (ITU-T Q.23). `levelDbfs` is the peak of its high tone against full scale, −6 at
 * most; the low tone is 2 dB lower.
 * @throws RangeError no such key, or a duration outside 50–500 ms
 */
export function dtmfTone(key: string, durationMs: number = TONE_MS.usual, levelDbfs = USUAL_DBFS): Uint8Array {
  if (!isKey(key)) throw new RangeError(`There is no key "${key}" on a telephone; use 0-9, *, # or A-D.`);
  if (!(durationMs >= TONE_MS.least && durationMs <= TONE_MS.most)) {
    throw new RangeError(`A key sounds for ${TONE_MS.least} to ${TONE_MS.most} ms, not ${durationMs}.`);
  }
  const index = KEYS.indexOf(key);
  const low = radians(ROWS_HZ[index >> 2] as number);
  const high = radians(COLUMNS_HZ[index & 3] as number);
  const highPeak = 32_768 * 10 ** (levelDbfs / 20);
  const lowPeak = highPeak * 10 ** (-TWIST_DB / 20);
  const tone = new Uint8Array(samples(durationMs));
  const ramp = samples(RAMP_MS);
  for (let i = 0; i < tone.length; i++) {
    const swell = Math.sin((Math.PI / 2) * Math.min(1, (i + 0.5) / ramp, (tone.length - i - 0.5) / ramp)) ** 2;
    tone[i] = linearToMulaw(Math.round(swell * (lowPeak * Math.sin(low * i) + highPeak * Math.sin(high * i))));
  }
  return tone;
}

/**
 * Keys one after another in µ-law; `w` and `,` are pauses of 500 ms. Silence follows the last key as well, so that
 * two sequences may follow each other.
 * @throws RangeError it is no sequence of keys, or the duration is outside 50–500 ms
 */
export function dtmfSequence(
  digits: string,
  { durationMs = TONE_MS.usual, gapMs = USUAL_GAP_MS }: KeyTiming = {},
): Uint8Array {
  const pieces = Array.from(digits, (one) => (PAUSES.includes(one) ? undefined : dtmfTone(one, durationMs)));
  const bytesOf = (tone: Uint8Array | undefined) => (tone ? tone.length + samples(gapMs) : samples(PAUSE_MS));
  const sequence = new Uint8Array(pieces.reduce((sum, tone) => sum + bytesOf(tone), 0)).fill(MULAW_SILENCE);
  let at = 0;
  for (const tone of pieces) {
    if (tone) sequence.set(tone, at);
    at += bytesOf(tone);
  }
  return sequence;
}

/**
 * What of a sequence is still to be sounded when playback was stopped after `heardMs` of it. A key of which enough was
 * heard to be recognised counts as pressed, for it must not be pressed twice.
 */
export function keysLeft(digits: string, heardMs: number, timing: KeyTiming = {}): string {
  const { durationMs = TONE_MS.usual, gapMs = USUAL_GAP_MS } = timing;
  let fromMs = 0;
  for (let i = 0; i < digits.length; i++) {
    const pause = PAUSES.includes(digits.charAt(i));
    if (heardMs < fromMs + (pause ? PAUSE_MS : RECOGNISED_MS)) return digits.slice(i);
    fromMs += pause ? PAUSE_MS : durationMs + gapMs;
  }
  return "";
}

/**
 * Samples that are judged together. 12.5 ms: every tone of 40 ms holds two whole blocks, and a tone that is 1.5 % off
 * its frequency still falls into its 80 Hz.
 */
const BLOCK = 100;
/** A key must sound alike in so many blocks. */
const SURE_AFTER_BLOCKS = 2;
/** A key is let go when so many blocks lack it: a pause of 30 ms does, an interruption of 10 ms does not. */
const GONE_AFTER_BLOCKS = 2;
/** Power that a held key keeps, against when it was recognised: a block of which 40 % sound. */
const HELD = 0.15;
/** Each tone must reach −36 dBFS at its peak. */
const LEAST_POWER = (32_768 * 10 ** (-36 / 20)) ** 2 / 2;
/** How far the high tone may lie above the low one, and below it: 4 and 8 dB (ITU-T Q.24), and what a block misjudges. */
const MOST_ABOVE = 10 ** (6 / 10);
const MOST_BELOW = 10 ** (12 / 10);
/** The next strongest of a group must stay so far behind. */
const DISTINCT = 10 ** (6 / 10);
/** Share of all power that lies in the two tones. Speech spreads over its harmonics. */
const PURE = 0.63;
/** Blocks of one key that differ more than so in power are no steady tone. */
const STEADY = 10 ** (3 / 10);

const COEFFICIENTS: Float64Array = Float64Array.from([...ROWS_HZ, ...COLUMNS_HZ], (hz) => 2 * Math.cos(radians(hz)));
const NONE = -1;

/**
 * Hears the keys in the sound of a line, by the checks of ITU-T Q.24: both tones and nothing else, twist, 40 ms on and
 * 30 ms off. Each press is told once, however long. One instance serves one direction of one call.
 */
export class DtmfDetector {
  readonly #block = new Float64Array(BLOCK);
  /** Power of each tone in the newest block. */
  readonly #powers = new Float64Array(COEFFICIENTS.length);
  #filled = 0;
  /** What sounded in the newest block, how loud, and in how many blocks so. */
  #candidate = NONE;
  #candidatePower = 0;
  #candidateBlocks = 0;
  /** The key that is down, with its power when it was recognised. */
  #down = NONE;
  #downPower = 0;
  #missing = 0;

  /** Takes the next µ-law samples, in portions of any size. Returns the keys that were recognised in them: mostly "". */
  hear(audio: Uint8Array): string {
    let keys = "";
    for (let i = 0; i < audio.length; i++) {
      this.#block[this.#filled++] = MULAW_TO_LINEAR[audio[i] as number] as number;
      if (this.#filled < BLOCK) continue;
      this.#filled = 0;
      if (this.#isPressed()) keys += KEYS.charAt(this.#down);
    }
    return keys;
  }

  /** Judges the full block; whether it made a press certain. */
  #isPressed(): boolean {
    const key = this.#measure();
    if (this.#down !== NONE) {
      this.#missing = this.#weakerOf(this.#down) < HELD * this.#downPower ? this.#missing + 1 : 0;
      if (this.#missing >= GONE_AFTER_BLOCKS) this.#down = NONE;
    }
    if (key === NONE || key === this.#down) {
      this.#candidate = NONE;
      return false;
    }
    const power = this.#bothOf(key);
    const steady = power < STEADY * this.#candidatePower && this.#candidatePower < STEADY * power;
    this.#candidateBlocks = key === this.#candidate && steady ? this.#candidateBlocks + 1 : 1;
    this.#candidate = key;
    this.#candidatePower = power;
    if (this.#candidateBlocks < SURE_AFTER_BLOCKS) return false;
    this.#down = key;
    this.#downPower = this.#weakerOf(key);
    this.#missing = 0;
    this.#candidate = NONE;
    return true;
  }

  /** Measures all tones of the block. Returns the key that it is beyond doubt, or `NONE`. */
  #measure(): number {
    const block = this.#block;
    const powers = this.#powers;
    let energy = 0;
    for (let i = 0; i < BLOCK; i++) energy += (block[i] as number) ** 2;
    const total = energy / BLOCK;
    if (total < LEAST_POWER) {
      powers.fill(0);
      return NONE;
    }
    for (let tone = 0; tone < powers.length; tone++) powers[tone] = goertzel(block, COEFFICIENTS[tone] as number);
    const row = strongest(powers, 0);
    const column = strongest(powers, 4);
    if (row === NONE || column === NONE) return NONE;
    const low = powers[row] as number;
    const high = powers[column] as number;
    if (low < LEAST_POWER || high < LEAST_POWER) return NONE;
    if (high > low * MOST_ABOVE || low > high * MOST_BELOW) return NONE;
    if (low + high < PURE * total) return NONE;
    return row * 4 + (column - 4);
  }

  /** Power of a key's two tones in the newest block. */
  #bothOf(key: number): number {
    return (this.#powers[key >> 2] as number) + (this.#powers[4 + (key & 3)] as number);
  }

  /** Power of the weaker of them: a key sounds only as long as both do. */
  #weakerOf(key: number): number {
    return Math.min(this.#powers[key >> 2] as number, this.#powers[4 + (key & 3)] as number);
  }
}

// --- Internal helpers ---

function radians(hz: number): number {
  return (2 * Math.PI * hz) / SAMPLE_RATE;
}

function samples(ms: number): number {
  return Math.round((ms * SAMPLE_RATE) / 1000);
}

/** Power of one frequency in a block (Goertzel): a sine of peak A has A²/2. */
function goertzel(block: Float64Array, coefficient: number): number {
  let last = 0;
  let beforeLast = 0;
  for (let i = 0; i < block.length; i++) {
    const next = (block[i] as number) + coefficient * last - beforeLast;
    beforeLast = last;
    last = next;
  }
  return (
    (2 * (last * last + beforeLast * beforeLast - coefficient * last * beforeLast)) / (block.length * block.length)
  );
}

/** The one of four tones from `from` on that stands out, or `NONE`. */
function strongest(powers: Float64Array, from: number): number {
  let best = from;
  for (let tone = from + 1; tone < from + 4; tone++) {
    if ((powers[tone] as number) > (powers[best] as number)) best = tone;
  }
  for (let tone = from; tone < from + 4; tone++) {
    if (tone !== best && (powers[tone] as number) * DISTINCT > (powers[best] as number)) return NONE;
  }
  return best;
}
