import type { SpeechMeter } from "../audio/speech-meter.ts";

/** What the floor asks of whoever listens to the caller's frames. */
export type Ear = Pick<SpeechMeter, keyof SpeechMeter>;
