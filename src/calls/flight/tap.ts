import type { Hearing } from "../../audio/speech-meter.ts";
import type { MediaListener } from "../../carriers/carrier.ts";

/** What is kept of something: no words of anybody. */
export type Field = string | number | boolean | null | readonly Field[];

/** Something that came in from outside: its kind, and what a decision may depend on. */
export type Input = readonly [kind: string, ...fields: Field[]];

/**
 * What lies between a conversation and everything around it. While a call runs a tap writes down what comes in and what
 * goes out; in a replay it compares what goes out with what was written down.
 */
export interface Tap {
  /** The time, in whole milliseconds. It stands still while something that came in is dealt with. */
  now(): number;
  /** How an id of somebody else's is called here, from now on. */
  learn(id: string): string;
  /** How an id is called here; ids of our own keep their names. */
  nameOf(id: string): string;
  /** Something comes in; `run` deals with it. */
  input<Result>(what: Input, run: () => Result): Result;
  /** A frame of the caller comes in, base64. */
  frame(base64: Buffer, listener: Pick<MediaListener, "audio">): void;
  /** The shared beat. */
  beat(run: () => void): void;
  /** Has a result come in by itself, when whatever came before has been dealt with. */
  deliver(run: () => void): void;
  /** Something goes out; `act` carries it out. */
  command<Result>(line: string, act: () => Result): Result;
  /** A frame of the caller goes out to a session. */
  sessionAudio(session: number): void;
  /** Sound of the agent goes out to the phone. */
  legAudio(audio: Uint8Array): void;
  /** Something outside is looked at: what it is now decides. */
  see(name: string, value: () => string): void;
  /** A yes or no of the ear. */
  judged(verdict: boolean): boolean;
  /** Whether a frame was put off by the ear. */
  putOff(verdict: boolean): boolean;
  /** What the ear made of a frame. */
  heard(hearing: Hearing, frame: Uint8Array): void;
  /** The conversation is over. */
  end(): void;
}
