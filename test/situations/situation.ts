import type { Echo } from "./line.ts";
import type { Utterance } from "./model.ts";
import type { Wave } from "./waves.ts";

/** What sounds at the caller's end while the agent speaks. */
export type Kind =
  | "interruption"
  | "interruption over noise"
  | "interruption under our echo"
  | "IVR voice"
  | "room tone"
  | "call-centre noise"
  | "hold music"
  | "cough"
  | "laughter"
  | "back-channel"
  | "echo of our own voice"
  | "second speaker"
  | "line noise, faint"
  | "line noise, medium"
  | "line noise, loud";

/** One call, whole, as its seed decides it. All times count from the moment in which the line was connected. */
export interface Situation {
  readonly kind: Kind;
  readonly seed: number;
  /** Whether the agent must give up the sentence; otherwise it must say it whole. */
  readonly expect: "yield" | "whole";
  /** Which of the agent's speeches is meant. */
  readonly during: "greeting" | "answer";
  /** When the sound of the situation begins to be audible, and when it is over. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** When the agent's speech begins and ends to sound if nothing holds it back. */
  readonly speechFromMs: number;
  readonly speechUntilMs: number;
  readonly caller: Wave;
  readonly utterances: readonly Utterance[];
  readonly echo?: Echo;
  readonly wayMs: number;
  readonly latencyMs: number;
  readonly greeting: Wave;
  readonly answers: readonly Wave[];
  /** What the engine's detection does, for the table. */
  readonly vad: Vad;
}

/** How the engine's voice activity detection takes a sound. */
export type Vad = "exact" | "early" | "late" | "missing" | "false";
