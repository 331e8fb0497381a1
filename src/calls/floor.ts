import { FRAME_MS } from "../audio/g711.ts";
import { SpeechMeter } from "../audio/speech-meter.ts";
import { weigh } from "./back-channel.ts";

/** What the floor has done. Every `pause` is followed by one `resume` or `yieldFloor`. */
export interface FloorCommands {
  /** Silence the agent at once, and keep what was not heard. */
  pause(): void;
  /** Go on with the sentence where it was paused: it was no interruption. */
  resume(): void;
  /** The caller, who began to speak at `spokeFromMs`, has the floor: the sentence is abandoned. */
  yieldFloor(spokeFromMs: number): void;
  /** While held no response may begin: somebody speaks. */
  hold(held: boolean): void;
  /** The engine missed a turn of the caller: end it. `turnCommitted` is to follow. */
  commitTurn(): void;
  /** A turn of the caller is over and wants an answer. Once a turn. */
  answer(itemId: string): void;
  /** The caller makes a sound that may be speech, since `spokeFromMs`. */
  callerStarted(spokeFromMs: number): void;
  /** That sound ended at `endedAtMs`. */
  callerStopped(endedAtMs: number): void;
}

export interface FloorSettings {
  /** So much of a voice is heard before the agent pauses. */
  readonly minSpeechMs: number;
  /** The agent goes on so long after a sound that nobody but us noticed. */
  readonly resumeAfterMs: number;
  /** A sound of this length that the engine noticed as well may be words: its transcript is waited for. */
  readonly mayBeWordsMs: number;
  /** How long after the sound its transcript is waited for. */
  readonly wordsWithinMs: number;
  /** So much of a voice near the telephone can be nothing but somebody who wants to speak. */
  readonly surelyMs: number;
  /** So much of a voice is a turn, though the engine missed it… */
  readonly missedSpeechMs: number;
  /** …once it has been quiet for so long. */
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
  missedSpeechMs: 500,
  missedQuietMs: 900,
  stuckQuietMs: 4_000,
};

/** Evidence that suffices when the engine has noticed somebody as well. */
const SUPPORTED_SPEECH_MS = 30;
/** Shorter gaps belong to the sound around them. */
const GAP_MS = 200;
/** The engine dates speech up to so much before what we hear of it. */
const SLACK_MS = 400;
/** A turn in which we heard so much of a voice is answered without waiting for its words. */
const ANSWERED_AT_ONCE_MS = 120;

/** Something that the caller's side made heard, until it is decided what it was. */
interface Sound {
  readonly fromMs: number;
  untilMs: number;
  /** How much of a voice it was. */
  speechMs: number;
  /** Sum of the power of its voiced frames. */
  power: number;
  voicedFrames: number;
  /** When we ended the turn that the engine missed. */
  committedAtMs?: number;
}

/** A turn as the engine sees it. */
interface Turn {
  readonly itemId: string;
  readonly fromMs: number;
  /** How much of a voice we heard in it, and how much that was at least faint. */
  heardMs: number;
  faintMs: number;
  open: boolean;
  committedAtMs?: number;
  meaning?: "nothing" | "back-channel" | "words";
  answered: boolean;
}

/**
 * Decides who has the floor: it pauses the agent when somebody may have begun to speak, gives the floor to whoever
 * did, and has the sentence go on when nobody did. It hears the caller's frames itself and takes the engine's events
 * as one more witness, who may be early, late, missing or wrong. It has no timers: it is told the time by ticks.
 */
export class Floor {
  readonly #commands: FloorCommands;
  readonly #settings: FloorSettings;
  readonly #meter = new SpeechMeter();
  readonly #turns = new Map<string, Turn>();
  #agent: "silent" | "speaks" | "paused" = "silent";
  #sound: Sound | undefined;
  /** The sound before, which a late event of the engine may still belong to. */
  #lastSound: Sound | undefined;
  #held = false;
  /** Evidence that has not become a sound yet, and since when. */
  #score = 0;
  #scoreFromMs = 0;

  constructor(commands: FloorCommands, settings: Partial<FloorSettings> = {}) {
    this.#commands = commands;
    this.#settings = { ...FLOOR_DEFAULTS, ...settings };
  }

  /** Who has the floor. */
  get state(): "nobody" | "agent" | "paused" | "caller" {
    if (this.#agent === "paused") return "paused";
    if (this.#agent === "speaks") return "agent";
    return this.#held ? "caller" : "nobody";
  }

  /** A frame of the caller, µ-law, came at `nowMs`; it was spoken until `endedAtMs`. */
  callerFrame(frame: Uint8Array, endedAtMs: number, nowMs: number): void {
    const { speechLike, faint, levelDbfs } = this.#meter.hear(frame, endedAtMs);
    for (const turn of this.#turns.values()) {
      if (!turn.open) continue;
      turn.heardMs += FRAME_MS * speechLike;
      if (faint) turn.faintMs += FRAME_MS;
    }
    if (this.#sound) extend(this.#sound, speechLike, levelDbfs, endedAtMs);
    else this.#weighEvidence(speechLike, endedAtMs);
    this.#judge(nowMs);
  }

  /** A piece was handed to the carrier and plays from `startsAtMs` on. */
  agentPlays(audio: Uint8Array, startsAtMs: number): void {
    this.#meter.agentPlays(audio, startsAtMs);
  }

  /**
   * Whether the agent has words that play, wait to play, are kept by a pause or are still being produced. To be told
   * at every change; repetitions do no harm.
   */
  agentSounds(sounds: boolean, nowMs: number): void {
    if (this.#agent === "paused") return; // ends with the pause
    if (sounds && this.#agent === "silent" && this.#sound) {
      // It began although somebody speaks.
      this.#agent = "speaks";
      this.#pause(nowMs);
      return;
    }
    this.#agent = sounds ? "speaks" : "silent";
  }

  /** The engine noticed speech that began at `spokeFromMs`. */
  engineSpeechStarted(itemId: string, spokeFromMs: number, nowMs: number): void {
    const turn: Turn = { itemId, fromMs: spokeFromMs, heardMs: 0, faintMs: 0, open: true, answered: false };
    const sound = this.#sound ?? this.#lastSound;
    if (sound && sound.untilMs >= spokeFromMs - SLACK_MS) turn.heardMs = sound.speechMs;
    this.#turns.set(itemId, turn);
    if (!this.#sound && this.#score >= SUPPORTED_SPEECH_MS) this.#begin(nowMs);
  }

  /** The engine noticed its end. */
  engineSpeechStopped(itemId: string, nowMs: number): void {
    const turn = this.#turns.get(itemId);
    if (turn) turn.open = false;
    this.#judge(nowMs);
  }

  /** The engine made a turn of it. */
  turnCommitted(itemId: string, nowMs: number): void {
    const turn = this.#turns.get(itemId) ?? this.#unnoticed(itemId, nowMs);
    turn.open = false;
    turn.committedAtMs = nowMs;
    if (this.#agent === "silent" && (turn.heardMs >= ANSWERED_AT_ONCE_MS || turn.meaning === "words"))
      this.#answer(turn);
    this.#judge(nowMs);
  }

  /** Words of the caller in that turn: the whole text so far. */
  callerWords(itemId: string, text: string, final: boolean, nowMs: number): void {
    const meaning = weigh(text);
    const turn = this.#turns.get(itemId);
    if (!turn || (!final && meaning !== "words")) return;
    turn.meaning = meaning;
    if (meaning === "words") this.#said(turn, nowMs);
    else if (meaning === "back-channel" && this.#agent === "silent") this.#answer(turn); // "yes" answers a question
    this.#judge(nowMs);
  }

  /** That turn will not be written down. */
  callerWordsFailed(itemId: string, nowMs: number): void {
    const turn = this.#turns.get(itemId);
    if (turn && turn.heardMs >= this.#settings.missedSpeechMs) this.#said(turn, nowMs);
    else if (turn) turn.meaning = "nothing";
    this.#judge(nowMs);
  }

  /** Time passes; every 20 ms or so. */
  tick(nowMs: number): void {
    this.#judge(nowMs);
  }

  #weighEvidence(speechLike: number, endedAtMs: number): void {
    if (speechLike === 0) {
      this.#score = Math.max(0, this.#score - FRAME_MS / 2);
      return;
    }
    if (this.#score === 0) this.#scoreFromMs = endedAtMs - FRAME_MS;
    this.#score += FRAME_MS * speechLike;
    const supported = [...this.#turns.values()].some(({ open }) => open);
    if (this.#score < (supported ? SUPPORTED_SPEECH_MS : this.#settings.minSpeechMs)) return;
    this.#begin(endedAtMs);
  }

  /** What was heard is a sound: whoever makes it may want the floor. */
  #begin(nowMs: number): void {
    const fromMs = this.#scoreFromMs;
    this.#sound = { fromMs, untilMs: nowMs, speechMs: this.#score, power: 0, voicedFrames: 0 };
    this.#score = 0;
    this.#commands.callerStarted(fromMs);
    this.#hold(true);
    if (this.#agent === "speaks") this.#pause(nowMs);
  }

  #pause(nowMs: number): void {
    this.#agent = "paused";
    this.#meter.cleared(nowMs);
    this.#commands.pause();
  }

  #yield(fromMs: number, nowMs: number): void {
    this.#agent = "silent";
    this.#meter.cleared(nowMs);
    this.#commands.yieldFloor(fromMs);
    for (const turn of this.#turns.values()) if (turn.committedAtMs !== undefined) this.#answer(turn);
  }

  /** Words of the caller are there, or as good as there. */
  #said(turn: Turn, nowMs: number): void {
    const sound = this.#sound ?? this.#lastSound;
    if (sound && sound.voicedFrames > 0 && turn.heardMs > 0)
      this.#meter.callerSpoke(10 * Math.log10(sound.power / sound.voicedFrames));
    if (turn.answered) return; // its words come late: what plays is the answer to them
    const heard = turn.heardMs >= this.#settings.minSpeechMs;
    if (this.#agent === "paused" || (this.#agent === "speaks" && heard)) {
      this.#yield(Math.min(turn.fromMs, sound?.fromMs ?? turn.fromMs), nowMs);
    }
    if (this.#agent === "silent" && turn.committedAtMs !== undefined) this.#answer(turn);
  }

  #judge(nowMs: number): void {
    this.#forget(nowMs);
    const sound = this.#sound;
    if (!sound) return;
    const { surelyMs, resumeAfterMs, missedSpeechMs, missedQuietMs, stuckQuietMs, wordsWithinMs, mayBeWordsMs } =
      this.#settings;
    const quietMs = nowMs - sound.untilMs;
    const paused = () => this.#agent === "paused";
    if (paused() && sound.speechMs >= surelyMs) this.#yield(sound.fromMs, nowMs);
    if (quietMs < GAP_MS) return;
    const turns = [...this.#turns.values()].filter(({ fromMs }) => fromMs <= sound.untilMs + SLACK_MS);
    const open = turns.some((turn) => turn.open);
    const isTurn = sound.speechMs >= missedSpeechMs;
    const settled = turns.length > 0 && turns.every((turn) => turn.answered || turn.meaning !== undefined);
    const short = turns.length === 0 ? !isTurn : paused() && sound.speechMs < mayBeWordsMs;
    if (settled || (short && quietMs >= resumeAfterMs)) {
      this.#over(nowMs);
      return;
    }
    if (quietMs >= (open ? stuckQuietMs : missedQuietMs) && (open || turns.length === 0)) this.#commit(sound, nowMs);
    const waitsSinceMs = sound.committedAtMs ?? sound.untilMs + (paused() ? 0 : stuckQuietMs);
    if (turns.length === 0 && sound.committedAtMs === undefined) return;
    if (nowMs - waitsSinceMs < wordsWithinMs) return;
    // No words came in time. What was long enough to be some is taken for some.
    if (paused() && isTurn && !open) this.#yield(sound.fromMs, nowMs);
    this.#over(nowMs);
  }

  #commit(sound: Sound, nowMs: number): void {
    if (sound.committedAtMs !== undefined) return;
    sound.committedAtMs = nowMs;
    this.#commands.commitTurn();
  }

  /** The sound is over: the agent goes on, or may begin. */
  #over(nowMs: number): void {
    const sound = this.#sound as Sound;
    this.#sound = undefined;
    this.#lastSound = sound;
    this.#commands.callerStopped(sound.untilMs);
    if (this.#agent === "paused") {
      this.#agent = "speaks";
      this.#commands.resume();
    }
    this.#forget(nowMs);
    this.#hold(false);
  }

  #answer(turn: Turn): void {
    if (turn.answered) return;
    turn.answered = true;
    this.#commands.answer(turn.itemId);
  }

  #hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    this.#commands.hold(held);
  }

  /** A turn that began without the engine's saying so: what we ended ourselves. */
  #unnoticed(itemId: string, nowMs: number): Turn {
    const sound = this.#sound ?? this.#lastSound;
    const turn: Turn = {
      itemId,
      fromMs: sound?.fromMs ?? nowMs,
      heardMs: sound?.speechMs ?? 0,
      faintMs: 0,
      open: false,
      answered: false,
    };
    this.#turns.set(itemId, turn);
    return turn;
  }

  /** Turns whose words have come, or will not come any more, are done with. */
  #forget(nowMs: number): void {
    for (const turn of this.#turns.values()) {
      const done = !turn.open && turn.committedAtMs !== undefined && nowMs - turn.committedAtMs > 10_000;
      if (done || nowMs - turn.fromMs > 120_000) this.#turns.delete(turn.itemId);
    }
  }
}

// --- Internal helpers ---

function extend(sound: Sound, speechLike: number, levelDbfs: number, endedAtMs: number): void {
  if (speechLike === 0) return;
  sound.untilMs = endedAtMs;
  sound.speechMs += FRAME_MS * speechLike;
  if (speechLike < 1) return;
  sound.power += 10 ** (levelDbfs / 10);
  sound.voicedFrames += 1;
}
