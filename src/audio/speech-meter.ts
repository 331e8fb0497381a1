import { FRAME_BYTES, MULAW_TO_LINEAR } from "./g711.ts";

/** What one frame of the caller sounded like. One object is reused from frame to frame. */
export interface Hearing {
  /** RMS of the frame, our own echo taken off, relative to full scale. */
  readonly levelDbfs: number;
  /** RMS of what sounds all the time on this line. */
  readonly floorDbfs: number;
  /** How much of a voice this frame is: 0 nothing, 0.5 a sound that speech may begin with, 1 voiced and near. */
  readonly speechLike: number;
  /** Whether something voiced sounds, though perhaps far away or hardly above the floor. */
  readonly faint: boolean;
}

/** Nothing below is speech on a telephone line. */
const LEAST_DBFS = -47;
/** Speech stands out of the floor by so much. */
const MARGIN_DB = 9;
/** Another voice in the room is so much quieter than whoever holds the telephone. */
const NEAR_DB = 9;
const QUIETEST_DBFS = -70;
/** The floor is the least level of so many pieces of `FLOOR_PIECE_FRAMES`. */
const FLOOR_PIECES = 8;
const FLOOR_PIECE_FRAMES = 12;
/** Samples a second after decimation: pitch and its harmonics are left. */
const DECIMATION = 4;
const LOW_FRAME = FRAME_BYTES / DECIMATION;
/** Pitch periods of voices, 71 to 400 Hz, in decimated samples. */
const SHORTEST_PERIOD = 5;
const LONGEST_PERIOD = 28;
const VOICED = 0.55;

/**
 * A local ear on every caller frame: how loud, how far above what sounds all the time, and whether it is a voice.
 * It knows nothing of words; it is there to notice within three frames that somebody may have begun to speak.
 */
export class SpeechMeter {
  readonly #hearing = { levelDbfs: QUIETEST_DBFS, floorDbfs: QUIETEST_DBFS, speechLike: 0, faint: false };
  /** The newest two frames, decimated. */
  readonly #low = new Float32Array(2 * LOW_FRAME);
  readonly #minima = new Float32Array(FLOOR_PIECES).fill(QUIETEST_DBFS);
  #piece = 0;
  #pieceFrames = 0;
  #pieceMinimum = 0;
  #smoothDbfs = QUIETEST_DBFS;
  #callerDbfs: number | undefined;

  /** Hears 20 ms of the caller, which ended at `endedAtMs`. The answer is valid until the next frame. */
  hear(frame: Uint8Array, _endedAtMs: number): Hearing {
    const level = this.#take(frame);
    const floor = this.#track(level);
    const hearing = this.#hearing;
    hearing.levelDbfs = level;
    hearing.floorDbfs = floor;
    hearing.speechLike = 0;
    hearing.faint = false;
    if (level < Math.max(floor + MARGIN_DB / 2, LEAST_DBFS)) return hearing;
    const voiced = this.#voicing() > VOICED;
    hearing.faint = voiced;
    if (level < floor + MARGIN_DB) return hearing;
    if (this.#callerDbfs !== undefined && level < this.#callerDbfs - NEAR_DB) return hearing;
    hearing.speechLike = voiced ? 1 : 0.5;
    return hearing;
  }

  /** What plays at the caller's ear from `startsAtMs` on, and may come back as an echo. */
  agentPlays(_audio: Uint8Array, _startsAtMs: number): void {}

  /** What was to play after `nowMs` does not. */
  cleared(_nowMs: number): void {}

  /** Takes note of how loud the caller's own speech was, once words have proved that it was theirs. */
  callerSpoke(loudnessDbfs: number): void {
    this.#callerDbfs =
      this.#callerDbfs === undefined ? loudnessDbfs : this.#callerDbfs + (loudnessDbfs - this.#callerDbfs) / 3;
  }

  #take(frame: Uint8Array): number {
    const low = this.#low;
    low.copyWithin(0, LOW_FRAME);
    let power = 0;
    for (let out = 0, at = 0; out < LOW_FRAME; out++) {
      let sum = 0;
      for (let i = 0; i < DECIMATION; i++, at++) {
        const sample = MULAW_TO_LINEAR[frame[at] ?? 0xff] as number;
        sum += sample;
        power += sample * sample;
      }
      low[LOW_FRAME + out] = sum;
    }
    return Math.max(QUIETEST_DBFS, 10 * Math.log10(power / FRAME_BYTES / 32_768 ** 2 + 1e-9));
  }

  #track(level: number): number {
    this.#smoothDbfs += (level - this.#smoothDbfs) / 2;
    this.#pieceMinimum = this.#pieceFrames === 0 ? this.#smoothDbfs : Math.min(this.#pieceMinimum, this.#smoothDbfs);
    this.#pieceFrames += 1;
    this.#minima[this.#piece] = this.#pieceMinimum;
    if (this.#pieceFrames === FLOOR_PIECE_FRAMES) {
      this.#pieceFrames = 0;
      this.#piece = (this.#piece + 1) % FLOOR_PIECES;
    }
    let floor = 0;
    for (const minimum of this.#minima) floor = Math.min(floor, minimum);
    return floor;
  }

  /** The best normalised correlation of the last 40 ms with itself one pitch period ago. */
  #voicing(): number {
    const low = this.#low;
    let best = 0;
    for (let lag = SHORTEST_PERIOD; lag <= LONGEST_PERIOD; lag++) {
      let cross = 0;
      let now = 1;
      let before = 1;
      for (let i = LONGEST_PERIOD; i < low.length; i++) {
        const x = low[i] as number;
        const y = low[i - lag] as number;
        cross += x * y;
        now += x * x;
        before += y * y;
      }
      best = Math.max(best, cross / Math.sqrt(now * before));
    }
    return best;
  }
}
