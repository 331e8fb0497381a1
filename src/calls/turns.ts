import { FRAME_MS } from "../audio/g711.ts";
import { SpeechMeter } from "../audio/speech-meter.ts";
import type { Ear } from "./ear.ts";
import { Sound } from "./sound.ts";

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
  /** Ask the engine for a sign of life: `engineLives` follows if it does. */
  askEngine(): void;
  /** The engine gives none, though somebody has spoken: they wait for it. */
  engineSilent(): void;
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
  /** The engine has given the sign of life that it was asked for. */
  engineLives(): void;
  /** The shared beat. */
  tick(nowMs: number): void;
}

/** A voice of so long is speech that an engine which lives has noticed by the time it ends. */
const NOTICED_MS = 200;
/** Shorter gaps are within what somebody says; an engine that has noticed it may take its time with longer ones. */
const GAP_MS = { missed: 300, noticed: 1_000 };
/** An engine that lives answers within this time. */
const LIVES_WITHIN_MS = 800;

/**
 * Leaves the turns to the engine: it answers and stops by itself, and we stop with it. It listens for one thing only:
 * an engine that says nothing of somebody's speech is asked whether it lives, for nobody waits for one that is dead.
 */
export class EngineTurns implements TurnTaking {
  readonly #commands: TurnCommands;
  readonly #ear: Ear;
  #agentSounds = false;
  /** Whether the engine takes the caller for speaking. */
  #noticed = false;
  /** What the caller said, while nobody else did, of which the engine has said nothing. */
  #sound: Sound | undefined;
  #asked: { readonly sound: Sound; readonly atMs: number } | undefined;

  constructor(commands: TurnCommands, ear: Ear = new SpeechMeter()) {
    this.#commands = commands;
    this.#ear = ear;
  }

  callerFrame(frame: Uint8Array, endedAtMs: number): void {
    if (!this.#sound && this.#ear.putOff(frame, endedAtMs)) return;
    const hearing = this.#ear.hear(frame, endedAtMs);
    if (this.#agentSounds) return; // it may be our own voice
    if (hearing.voiced) this.#sound ??= new Sound(endedAtMs - FRAME_MS);
    this.#sound?.hear(hearing, endedAtMs);
  }

  engineSpeechStarted(_itemId: string, spokeFromMs: number): void {
    this.engineLives();
    this.#noticed = true;
    this.#commands.callerStarted(spokeFromMs);
    this.#commands.hold(true);
    this.#commands.yieldFloor(spokeFromMs);
  }

  engineSpeechStopped(_itemId: string, nowMs: number): void {
    this.engineLives();
    this.#noticed = false;
    this.#commands.callerStopped(nowMs);
    this.#commands.hold(false);
  }

  engineLives(): void {
    this.#sound = undefined;
    this.#asked = undefined;
  }

  tick(nowMs: number): void {
    const sound = this.#sound;
    if (sound && nowMs - sound.untilMs >= (this.#noticed ? GAP_MS.noticed : GAP_MS.missed)) {
      this.#sound = undefined;
      if (sound.voicedMs >= NOTICED_MS && !this.#asked) {
        this.#asked = { sound, atMs: nowMs };
        this.#commands.askEngine();
      }
    }
    if (!this.#asked || nowMs - this.#asked.atMs < LIVES_WITHIN_MS) return;
    const { fromMs, untilMs } = this.#asked.sound;
    this.#asked = undefined;
    this.#commands.callerStarted(fromMs);
    this.#commands.callerStopped(untilMs);
    this.#commands.engineSilent();
  }

  agentSounds(sounds: boolean): void {
    this.#agentSounds = sounds;
    if (sounds) this.#sound = undefined;
  }

  agentPlays(): void {}
  turnCommitted(): void {}
  callerWords(): void {}
  callerWordsFailed(): void {}
}
