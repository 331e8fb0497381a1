import { type FaultCounts, noFaults } from "../content.ts";
import { Samples } from "../statistics.ts";

/** What is timed, in milliseconds. */
export const TIMED = [
  /** A caller's frame: from the telephone's socket to the model's. */
  "callerToModel",
  /** The first sound of an answer: from the model's socket to the telephone's. */
  "firstAudio",
  /** From the later of `speech_started` and 60 ms of the caller's speech at the bridge's socket; negative: sooner. */
  "clear",
  /** Likewise, until the model knows what was heard. */
  "truncate",
  /** From the caller's first loud frame until the telephone was silenced. */
  "stop",
  /** How far `audio_end_ms` is from what the telephone had played. */
  "truncateError",
  /** Sound that lay unplayed at the telephone when the caller broke in. */
  "queuedAtBargeIn",
  /** From the stream's `start` to `session.update`; 0 when the session was there first. */
  "setup",
  /** Pauses within an answer for want of sound. */
  "gap",
] as const;
export type Timed = (typeof TIMED)[number];

/** How often each thing happened, before anything has. */
export const noCounts = () => ({
  calls: 0,
  callerBlocks: 0,
  agentBlocks: 0,
  responses: 0,
  bargeIns: 0,
  toolCalls: 0,
  clipBlocks: 0,
});

/** Times of every kind, before any was taken. */
export const noSamples = () => Object.fromEntries(TIMED.map((kind) => [kind, new Samples()])) as Record<Timed, Samples>;

/** What one run of a load has found. Faults count from the first call to the last; times while `measuring`. */
export class Tally {
  readonly faults: FaultCounts = noFaults();
  readonly times = noSamples();
  measuring = false;
  /** What happened, so that a run in which nothing did cannot pass. */
  readonly counts = noCounts();

  time(kind: Timed, ms: number): void {
    if (this.measuring) this.times[kind].add(ms);
  }
}
