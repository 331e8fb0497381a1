import { FRAME_MS } from "../audio/g711.ts";
import type { Hearing } from "../audio/speech-meter.ts";

const FULL_MS = 40;
const FAR_AFTER_MS = 400;
const WORDS_MS = 500;
const VOWEL_MS = 160;
const LONGEST_VOWELS_MS = 800;
const LEAST_VOWELS = 3;
const SPEECH_SHARE = 0.3;
const BREAKS_SHARE = 0.2;
const MURKY_SHARE = 0.1;
const NOISE_MS = 1_500;
const NOISE_SHARE = 0.2;

/** Something that the caller's side made heard, from its first moment on, and what it was like. */
export class Sound {
  readonly fromMs: number;
  /** When it was last heard. */
  untilMs: number;
  /** How much of it was voiced, and how much of that as loud as the caller is. */
  voicedMs = 0;
  nearMs = 0;
  /** How much of it was as loud as the caller's vowels are. */
  fullMs = 0;
  /** How much of it was murky: several tones or voices at once. */
  murkyMs = 0;
  /** The longest stretch of voice without a pause, and how many stretches there were. */
  longestMs = 0;
  stretches = 0;
  loudestDbfs = -100;
  #ageMs = 0;
  #stretchMs = 0;
  #power = 0;

  constructor(fromMs: number) {
    this.fromMs = fromMs;
    this.untilMs = fromMs;
  }

  hear(hearing: Readonly<Hearing>, endedAtMs: number): void {
    this.#ageMs = endedAtMs - this.fromMs;
    if (!hearing.voiced) this.#stretchMs = 0;
    if (!hearing.sounds) return;
    if (hearing.near) this.untilMs = endedAtMs;
    this.loudestDbfs = Math.max(this.loudestDbfs, hearing.levelDbfs);
    if (hearing.murky) this.murkyMs += FRAME_MS;
    if (!hearing.voiced) return;
    if (this.#stretchMs === 0) this.stretches += 1;
    this.#stretchMs += FRAME_MS;
    this.longestMs = Math.max(this.longestMs, this.#stretchMs);
    this.voicedMs += FRAME_MS;
    if (hearing.full) this.fullMs += FRAME_MS;
    if (!hearing.near) return;
    this.nearMs += FRAME_MS;
    this.#power += 10 ** (hearing.levelDbfs / 10);
  }

  /** How long it has lasted until the last frame that was heard, its pauses included. */
  get ageMs(): number {
    return this.#ageMs;
  }

  /** From its first to its last moment. */
  get lengthMs(): number {
    return this.untilMs - this.fromMs;
  }

  /** How loud its near voice was. */
  get loudnessDbfs(): number {
    return 10 * Math.log10((this.#power * FRAME_MS) / this.nearMs);
  }

  /** Whether its voice is further away than the telephone. */
  get isFar(): boolean {
    return this.ageMs >= FAR_AFTER_MS && this.voicedMs > FAR_AFTER_MS / 2 && this.fullMs < FULL_MS;
  }

  /**
   * Whether it may be words: long enough, and with a vowel as long as words have. Coughs are too short for it, and
   * each burst of laughter.
   */
  get mayBeWords(): boolean {
    return this.lengthMs >= WORDS_MS && this.longestMs >= VOWEL_MS && !this.isFar;
  }

  /**
   * Whether it is as speech is, and as hardly anything else is in its first second: vowels of different lengths, parted
   * by other sounds. Given longer, music gets there as well.
   */
  get isSpeech(): boolean {
    return (
      this.mayBeWords &&
      this.longestMs <= LONGEST_VOWELS_MS &&
      this.stretches >= LEAST_VOWELS &&
      this.nearMs >= SPEECH_SHARE * this.ageMs &&
      this.ageMs - this.voicedMs - this.murkyMs >= BREAKS_SHARE * this.ageMs &&
      this.murkyMs < MURKY_SHARE * this.ageMs
    );
  }

  /** Whether it cannot be the caller's speech: it has no voice, though it goes on, or one that is far away. */
  get isNoise(): boolean {
    return this.isFar || (this.ageMs >= NOISE_MS && this.voicedMs < NOISE_SHARE * this.ageMs);
  }
}
