/** What turn-taking decides; the conversation carries it out. Every `pause` is followed by one `resume` or `yieldFloor`. */
export interface TurnCommands {
  /** Silence the agent at once, but keep what was not heard: somebody may be speaking. */
  pause(): void;
  /** Nobody spoke: the agent goes on where it was paused. */
  resume(): void;
  /** The caller has the floor: what was not heard is given up. They speak since `spokeFromMs`. */
  yieldFloor(spokeFromMs: number): void;
  /** While held, no response begins. */
  hold(held: boolean): void;
  /** The engine missed a turn of the caller: end it. `turnCommitted` is to follow. */
  commitTurn(): void;
  /** A turn of the caller is over and wants an answer. Once a turn. */
  answer(itemId: string): void;
  /** The caller has the turn since `spokeFromMs`. */
  callerStarted(spokeFromMs: number): void;
  /** The caller has given the turn back; their sound ended at `endedAtMs`. */
  callerStopped(endedAtMs: number): void;
}

/** Who may speak when. Told of everything that is heard; all times are on the clock of the wall, in milliseconds. */
export interface TurnTaking {
  /** One 20 ms frame of the caller, µ-law. */
  callerFrame(frame: Uint8Array, endedAtMs: number, nowMs: number): void;
  /** Agent audio was handed to the carrier and plays from `startsAtMs`. */
  agentPlays(audio: Uint8Array, startsAtMs: number): void;
  /** Whether the caller hears the agent, or would if nothing held it back. */
  agentSounds(sounds: boolean, nowMs: number): void;
  engineSpeechStarted(itemId: string, spokeFromMs: number, nowMs: number): void;
  engineSpeechStopped(itemId: string, nowMs: number): void;
  turnCommitted(itemId: string, nowMs: number): void;
  callerWords(itemId: string, text: string, final: boolean, nowMs: number): void;
  callerWordsFailed(itemId: string, nowMs: number): void;
  /** The shared beat. */
  tick(nowMs: number): void;
}

/** Leaves the turns to the engine: it answers and stops by itself, and we stop with it. */
export class EngineTurns implements TurnTaking {
  readonly #commands: TurnCommands;

  constructor(commands: TurnCommands) {
    this.#commands = commands;
  }

  engineSpeechStarted(_itemId: string, spokeFromMs: number): void {
    this.#commands.callerStarted(spokeFromMs);
    this.#commands.hold(true);
    this.#commands.yieldFloor(spokeFromMs);
  }

  engineSpeechStopped(_itemId: string, nowMs: number): void {
    this.#commands.callerStopped(nowMs);
    this.#commands.hold(false);
  }

  callerFrame(): void {}
  agentPlays(): void {}
  agentSounds(): void {}
  turnCommitted(): void {}
  callerWords(): void {}
  callerWordsFailed(): void {}
  tick(): void {}
}
