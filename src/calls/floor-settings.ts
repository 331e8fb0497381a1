/** What decides who has the floor; all in milliseconds. */
export interface FloorSettings {
  /** So much of a voice is heard before the agent pauses. */
  readonly minSpeechMs: number;
  /** The agent goes on so long after a sound that is too short or too strange for words. */
  readonly resumeAfterMs: number;
  /** A sound of this length that the engine noticed as well may be words: its transcript is waited for. */
  readonly mayBeWordsMs: number;
  /** How long after the sound, or after its turn was made, its transcript is waited for. */
  readonly wordsWithinMs: number;
  /** A sound that is like speech for so long, and that the engine noticed, needs no transcript. */
  readonly surelyMs: number;
  /** A sound of which nothing else is known after so long is transcribed at once. */
  readonly askAfterMs: number;
  /** What the engine missed is a turn once it has been quiet for so long. */
  readonly missedQuietMs: number;
  /** The engine still takes a caller for speaking whom we have not heard for so long: their turn is ended. */
  readonly stuckQuietMs: number;
}

export const FLOOR_DEFAULTS: FloorSettings = {
  minSpeechMs: 60,
  resumeAfterMs: 400,
  mayBeWordsMs: 350,
  wordsWithinMs: 1_300,
  surelyMs: 1_200,
  askAfterMs: 1_500,
  missedQuietMs: 900,
  stuckQuietMs: 4_000,
};
