import { DECIMATION, EchoEar, product } from "./echo-ear.ts";
import { energyOf, FRAME_BYTES, FRAME_MS, MULAW_SILENCE, MULAW_TO_LINEAR, powerOf } from "./g711.ts";

/** What one frame of the caller sounded like. One object is reused from frame to frame. */
export interface Hearing {
  /** RMS of the frame, relative to full scale. */
  levelDbfs: number;
  /** RMS of what sounds all the time on this line. */
  floorDbfs: number;
  /** Whether it stands out of the floor and is not our own voice coming back. */
  sounds: boolean;
  /** Whether it has a pitch, as vowels have. */
  voiced: boolean;
  /** Whether it is neither voiced nor a hiss: several tones or voices at once, a rumble. Speech has little of it. */
  murky: boolean;
  /** Whether it may be of whoever holds the telephone, by its level; so may everything before they have spoken. */
  near: boolean;
  /** Whether it is as loud as their vowels are, which within a few hundred milliseconds of their speech something is. */
  full: boolean;
  /** Whether it is no louder than what was judged to be no speech a while ago. */
  ignored: boolean;
  /** 0 to 1: how much it asks for attention. A vowel does; a hiss, with which speech may begin, by half. */
  speechLike: number;
}

/** Nothing below is speech on a telephone line. */
const LEAST_DBFS = -47;
/** The most energy of a frame in which nothing sounds. */
const QUIET_ENERGY = powerOf(LEAST_DBFS) * FRAME_BYTES;
/** Frames of quiet that are remembered: what is heard next is compared with no more of the time before. */
const REMEMBERED = 5;
/** Speech stands out of the floor by so much: of one that moves, and of one that hardly does, as the hiss of a line. */
const MARGIN_DB = 9;
const STEADY_MARGIN_DB = 5;
/** How the margin grows with what the floor moves by. */
const MARGIN = { of: 3, forEachDb: 4 };
/** Speech stands out by so much of a sound that was judged to be none. */
const MARGIN_OVER_IGNORED_DB = 4;
/** By which such a judgement fades, a second, when nothing is as loud as that less `IGNORED_LASTS_DB`. */
const IGNORED_FALLS_DB = 3;
const IGNORED_LASTS_DB = 8;
/** Speech is seldom quieter than its mean by so much, but at its edges. */
const NEAR_DB = 9;
/** Vowels are. The loudest of a voice in the background, which is 12 dB and more below, are not. */
const FULL_DB = 4;
/** After so much of the agent without an echo none is expected. */
const ECHO_FREE_MS = 1_500;
const QUIETEST_DBFS = -70;
/** The floor is the least level of so many pieces of `FLOOR_PIECE_FRAMES`. */
const FLOOR_PIECES = 8;
const FLOOR_PIECE_FRAMES = 12;
const LOW_FRAME = FRAME_BYTES / DECIMATION;
/** Pitch periods of voices, 71 to 400 Hz, in decimated samples. */
const SHORTEST_PERIOD = 5;
const LONGEST_PERIOD = 28;
const VOICED = 0.5;
/** A vowel has at least so much of its power below 1 kHz; white noise has an eighth. */
const LOW_SHARE = 0.35;

/** What is heard before the first frame. */
export const NOTHING_HEARD: Readonly<Hearing> = {
  levelDbfs: QUIETEST_DBFS,
  floorDbfs: QUIETEST_DBFS,
  sounds: false,
  voiced: false,
  murky: false,
  near: false,
  full: false,
  ignored: false,
  speechLike: 0,
};

/**
 * A local ear on every caller frame: how loud, how far above what sounds all the time, whether it is a voice, and
 * whether it is ours. It knows nothing of words; it is there to notice within three frames that somebody may have
 * begun to speak.
 */
export class SpeechMeter {
  readonly #hearing: Hearing = { ...NOTHING_HEARD };
  readonly #echo = new EchoEar();
  /** The newest two frames, decimated. */
  readonly #low = new Float64Array(2 * LOW_FRAME);
  readonly #newest = this.#low.subarray(LOW_FRAME);
  readonly #minima = new Float32Array(FLOOR_PIECES);
  /** How much the level moved within each piece. */
  readonly #moves = new Float32Array(FLOOR_PIECES).fill(Number.POSITIVE_INFINITY);
  #piece = 0;
  #pieceFrames = 0;
  #pieceMinimum = 0;
  #pieceMaximum = 0;
  #smoothDbfs: number | undefined;
  #floorDbfs = 0;
  #marginDb = MARGIN_DB;
  #lowShare = 0;
  #callerDbfs: number | undefined;
  /** How much of the agent has played, while nothing came back. */
  #echoFreeMs = 0;
  #ignoredDbfs = QUIETEST_DBFS;
  /** The newest frames of quiet since something was heard, in a ring; and how many came. */
  readonly #quiet = new Uint8Array(REMEMBERED * FRAME_BYTES);
  #quietFrames = 0;

  /**
   * Takes a frame in which nothing sounds, of which no more is looked at than how loud it is; `false`: it may sound, or
   * has another length, and is to be heard. What is heard after it is the same either way.
   */
  putOff(frame: Uint8Array, endedAtMs: number): boolean {
    if (frame.length !== FRAME_BYTES) return false;
    const energy = energyOf(frame);
    if (energy > QUIET_ENERGY) return false;
    this.#quiet.set(frame, (this.#quietFrames % REMEMBERED) * FRAME_BYTES);
    this.#quietFrames += 1;
    this.#track(levelOf(energy));
    this.#waitForEcho(endedAtMs);
    return true;
  }

  /** Hears 20 ms of the caller, which ended at `endedAtMs`. The answer is valid until the next frame. */
  hear(frame: Uint8Array, endedAtMs: number): Readonly<Hearing> {
    if (this.#quietFrames > 0) this.#catchUp();
    const level = this.#take(frame);
    this.#echo.hears(this.#newest);
    const floor = this.#track(level);
    const hearing = this.#hearing;
    hearing.levelDbfs = level;
    hearing.floorDbfs = floor;
    hearing.sounds = level > Math.max(floor + this.#marginDb, LEAST_DBFS) && !this.#echo.explains(endedAtMs, LOW_FRAME);
    hearing.voiced = hearing.sounds && this.#lowShare > LOW_SHARE && this.#voicing() > VOICED;
    hearing.murky = hearing.sounds && !hearing.voiced && this.#lowShare > LOW_SHARE;
    hearing.near = hearing.sounds && (this.#callerDbfs === undefined || level > this.#callerDbfs - NEAR_DB);
    if (!hearing.sounds) this.#waitForEcho(endedAtMs);
    hearing.ignored = level < this.#ignoredDbfs + MARGIN_OVER_IGNORED_DB;
    hearing.full = hearing.voiced && (this.#callerDbfs === undefined || level > this.#callerDbfs - FULL_DB);
    hearing.speechLike = hearing.near ? (hearing.voiced ? 1 : hearing.murky ? 0.75 : 0.5) : 0;
    return hearing;
  }

  /** Whether it is still unknown if, and how, our own voice comes back on this line. */
  get echoUnknown(): boolean {
    return !this.#echo.known && this.#echoFreeMs < ECHO_FREE_MS;
  }

  /** Whether what was heard last is our own voice. To be asked before anything is made of it. */
  isOurs(endedAtMs: number): boolean {
    const ours = this.#echo.isOurs(endedAtMs);
    if (ours) this.#echoFreeMs = 0;
    return ours;
  }

  /** What plays at the caller's ear from `startsAtMs` on, and may come back as an echo. */
  agentPlays(audio: Uint8Array, startsAtMs: number): void {
    this.#echo.plays(audio, startsAtMs);
  }

  /** What was to play after `nowMs` does not. */
  cleared(nowMs: number): void {
    this.#echo.cleared(nowMs);
  }

  /** Takes note of how loud the caller's own speech was, once words have proved that it was theirs. */
  callerSpoke(loudnessDbfs: number): void {
    this.#callerDbfs =
      this.#callerDbfs === undefined ? loudnessDbfs : this.#callerDbfs + (loudnessDbfs - this.#callerDbfs) / 3;
  }

  /** What sounds at `levelDbfs` was judged to be no speech: for a while only what is louder asks for attention. */
  ignore(levelDbfs: number): void {
    this.#ignoredDbfs = levelDbfs;
  }

  /** Nothing sounds: if the agent does, it does not come back. */
  #waitForEcho(endedAtMs: number): void {
    if (this.echoUnknown && this.#echo.isDue(endedAtMs)) this.#echoFreeMs += FRAME_MS;
  }

  /** Takes the sound of the quiet that was not looked at, for what follows it. */
  #catchUp(): void {
    const last = this.#quietFrames;
    this.#quietFrames = 0;
    for (let i = Math.max(0, last - REMEMBERED); i < last; i++) {
      const at = (i % REMEMBERED) * FRAME_BYTES;
      this.#take(this.#quiet.subarray(at, at + FRAME_BYTES));
      this.#echo.hears(this.#newest);
    }
  }

  /** Decimates a frame. Says how loud it is. */
  #take(frame: Uint8Array): number {
    if (frame.length !== FRAME_BYTES) return this.#take(whole(frame));
    const low = this.#low;
    low.copyWithin(0, LOW_FRAME);
    let power = 0;
    let lowPower = 0;
    for (let out = LOW_FRAME, at = 0; at < FRAME_BYTES; out++, at += DECIMATION) {
      const a = MULAW_TO_LINEAR[frame[at] as number] as number;
      const b = MULAW_TO_LINEAR[frame[at + 1] as number] as number;
      const c = MULAW_TO_LINEAR[frame[at + 2] as number] as number;
      const d = MULAW_TO_LINEAR[frame[at + 3] as number] as number;
      const sum = a + b + c + d;
      power += a * a + b * b + c * c + d * d;
      low[out] = sum;
      lowPower += sum * sum;
    }
    this.#lowShare = lowPower / DECIMATION / (power + 1);
    return levelOf(power);
  }

  /**
   * Takes note of a level. Says the floor: the least of the last two seconds, which pauses between words show, and
   * which what lasts becomes.
   */
  #track(level: number): number {
    // As long as it goes on it stays known.
    if (level < this.#ignoredDbfs - IGNORED_LASTS_DB) this.#ignoredDbfs -= (IGNORED_FALLS_DB * FRAME_MS) / 1_000;
    const smooth = this.#smoothDbfs === undefined ? level : (this.#smoothDbfs + level) / 2;
    this.#smoothDbfs = smooth;
    const begins = this.#pieceFrames === 0;
    this.#pieceMinimum = begins ? smooth : Math.min(this.#pieceMinimum, smooth);
    this.#pieceMaximum = begins ? smooth : Math.max(this.#pieceMaximum, smooth);
    this.#pieceFrames += 1;
    this.#minima[this.#piece] = this.#pieceMinimum;
    if (this.#pieceFrames === FLOOR_PIECE_FRAMES) {
      this.#moves[this.#piece] = this.#pieceMaximum - this.#pieceMinimum;
      this.#marginDb = marginOver(Math.min(...this.#moves));
      this.#pieceFrames = 0;
      this.#piece = (this.#piece + 1) % FLOOR_PIECES;
    }
    if (this.#pieceFrames === 0 || smooth < this.#floorDbfs) {
      let floor = 0;
      for (let i = 0; i < FLOOR_PIECES; i++) floor = Math.min(floor, this.#minima[i] as number);
      this.#floorDbfs = floor;
    }
    return this.#floorDbfs;
  }

  /** The best normalised correlation of the last 40 ms with itself one pitch period ago. */
  #voicing(): number {
    const low = this.#low;
    let now = 1;
    for (let i = LONGEST_PERIOD; i < low.length; i++) now += (low[i] as number) ** 2;
    let before = now;
    for (let i = 1; i < SHORTEST_PERIOD; i++) before += this.#earlier(i);
    let best = 0;
    for (let lag = SHORTEST_PERIOD; lag <= LONGEST_PERIOD; lag++) {
      before += this.#earlier(lag);
      const cross = product(low, LONGEST_PERIOD, low, LONGEST_PERIOD - lag, low.length - LONGEST_PERIOD);
      if (cross > 0) best = Math.max(best, (cross * cross) / (now * Math.max(1, before)));
    }
    return Math.sqrt(best);
  }

  /** By how much the power of the stretch one sample earlier differs. */
  #earlier(lag: number): number {
    return (this.#low[LONGEST_PERIOD - lag] as number) ** 2 - (this.#low[this.#low.length - lag] as number) ** 2;
  }
}

// --- Internal helpers ---

/** By how much speech stands out of a floor that moves by so much: the steadiest of its pieces has no speech in it. */
function marginOver(movesDb: number): number {
  return Math.min(MARGIN_DB, Math.max(STEADY_MARGIN_DB, MARGIN.of + MARGIN.forEachDb * movesDb));
}

/** The level of a frame, by the sum of its squared samples. */
function levelOf(energy: number): number {
  return Math.max(QUIETEST_DBFS, 10 * Math.log10(energy / FRAME_BYTES / 32_768 ** 2 + 1e-9));
}

/** A frame that came short is silent at its end. */
function whole(frame: Uint8Array): Uint8Array {
  const padded = new Uint8Array(FRAME_BYTES).fill(MULAW_SILENCE);
  padded.set(frame.subarray(0, FRAME_BYTES));
  return padded;
}
