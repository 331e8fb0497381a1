import { FRAME_MS } from "../audio/g711.ts";
import { type Hearing, SpeechMeter } from "../audio/speech-meter.ts";
import { weigh } from "./back-channel.ts";
import type { Ear } from "./ear.ts";
import { FLOOR_DEFAULTS, type FloorSettings } from "./floor-settings.ts";
import { Sound } from "./sound.ts";
import type { TurnCommands, TurnTaking } from "./turns.ts";

/** Evidence that suffices when the engine has noticed somebody as well. */
const SUPPORTED_SPEECH_MS = 30;
/** Added while it is unknown whether our own voice comes back. */
const ECHO_DOUBT_MS = 20;
/** Shorter gaps belong to the sound around them. */
const GAP_MS = 200;
/** The engine dates speech up to so much before what we hear of it. */
const SLACK_MS = 400;
/** What is speech surely is so by then. */
const SURELY_WITHIN_MS = 100;
/** What is as loud as somebody in the background less so much is heard again. */
const FAR_RESERVE_DB = 3;
/** Where the engine and we place the beginning of the same speech differs by no more. */
const SAME_START_MS = 700;
/** A sound that comes back so soon after the agent went on is one of many. */
const RESTLESS_MS = 4_000;
/** A turn in which we heard so much of a voice is answered without waiting for its words. */
const ANSWERED_AT_ONCE_MS = 120;
/** A "yes" so shortly before the agent's last word answers what was said. */
const LAST_WORD_MS = 1_500;
/** The engine makes a turn of speech as soon as it has noticed its end. */
const COMMITTED_WITHIN_MS = 500;
/** No transcript is later. */
const WRITTEN_WITHIN_MS = 10_000;
/** A turn that is older was never ended. */
const LONGEST_TURN_MS = 120_000;
/** Sounds that are remembered, because the engine's events come late. */
const REMEMBERED = 6;

const NO_TURNS: readonly Turn[] = [];

/** A turn as the engine sees it. */
interface Turn {
  readonly itemId: string;
  readonly fromMs: number;
  /** Whether the agent spoke when it began. */
  readonly overAgent: boolean;
  /** Whether the engine noticed it by itself. */
  noticed: boolean;
  /** Whether it is still to be committed. */
  open: boolean;
  stoppedAtMs?: number;
  committedAtMs?: number;
  meaning?: "nothing" | "back-channel" | "words";
  answered: boolean;
}

/**
 * Decides who has the floor: it pauses the agent when somebody may have begun to speak, gives the floor to whoever
 * did, and has the sentence go on when nobody did. It hears the caller's frames itself and takes the engine's events
 * as one more witness, who may be early, late, missing or wrong. It has no timers: it is told the time by ticks.
 */
export class Floor implements TurnTaking {
  readonly #commands: TurnCommands;
  readonly #settings: FloorSettings;
  readonly #meter: Ear;
  readonly #turns = new Map<string, Turn>();
  #agent: "silent" | "speaks" | "paused" = "silent";
  #agentEndedMs = Number.NEGATIVE_INFINITY;
  /** What sounds and has not been noticed for long enough. */
  #doubt: Sound | undefined;
  #score = 0;
  /** What the caller is held to be saying, until it is decided what it was. */
  #sound: Sound | undefined;
  /** When the turn of that sound was ended by us. */
  #endedAtMs: number | undefined;
  /** Whether what is ignored is somebody in the background, whom the engine may notice as well. */
  #overheard = false;
  /** How loud the sound was until its turn was made: what came after is not in the transcript. */
  #loudestDbfs: number | undefined;
  #past: Sound[] = [];
  /** A "yes" over which the agent went on, and when it did. */
  #assent: { readonly turn: Turn; readonly atMs: number } | undefined;
  #held = false;
  /** Whether a frame of the caller came since the last beat: it was judged with it. */
  #judgedByFrame = false;
  #resumedAtMs = Number.NEGATIVE_INFINITY;

  constructor(commands: TurnCommands, settings: Partial<FloorSettings> = {}, ear: Ear = new SpeechMeter()) {
    this.#commands = commands;
    this.#meter = ear;
    this.#settings = { ...FLOOR_DEFAULTS, ...settings };
  }

  /** Who has the floor. */
  get state(): "nobody" | "agent" | "paused" | "caller" {
    if (this.#agent !== "silent") return this.#agent === "paused" ? "paused" : "agent";
    return this.#held ? "caller" : "nobody";
  }

  /** A frame of the caller, µ-law, came at `nowMs`; it was spoken until `endedAtMs`. */
  callerFrame(frame: Uint8Array, endedAtMs: number, nowMs: number): void {
    this.#judgedByFrame = true;
    if (!this.#sound && this.#score === 0 && this.#meter.putOff(frame, endedAtMs)) return;
    const hearing = this.#meter.hear(frame, endedAtMs);
    if (this.#sound) this.#sound.hear(hearing, endedAtMs);
    else this.#listen(hearing, endedAtMs, nowMs);
    this.#judge(nowMs);
  }

  /** A piece was handed to the carrier and plays from `startsAtMs` on. */
  agentPlays(audio: Uint8Array, startsAtMs: number): void {
    this.#meter.agentPlays(audio, startsAtMs);
  }

  /** Whether the agent has words that play, wait to play, are kept by a pause or are still being produced. */
  agentSounds(sounds: boolean, nowMs: number): void {
    if (this.#agent === "paused") return; // ends with the pause
    if (sounds === (this.#agent === "speaks")) return;
    this.#agent = sounds ? "speaks" : "silent";
    if (sounds) {
      // It began although somebody speaks.
      if (this.#sound && nowMs - this.#sound.untilMs < GAP_MS) this.#pause(nowMs);
      return;
    }
    this.#agentEndedMs = nowMs;
    if (this.#assent && nowMs - this.#assent.atMs < LAST_WORD_MS) this.#answer(this.#assent.turn);
    this.#assent = undefined;
  }

  /** The engine noticed speech that began at `spokeFromMs`. */
  engineSpeechStarted(itemId: string, spokeFromMs: number, nowMs: number): void {
    const turn = this.#turn(itemId, spokeFromMs);
    turn.noticed = true;
    turn.open = true;
    this.#judge(nowMs);
  }

  /** The engine noticed its end. */
  engineSpeechStopped(itemId: string, nowMs: number): void {
    const turn = this.#turns.get(itemId);
    if (turn) turn.stoppedAtMs = nowMs;
  }

  /** The engine made a turn of it. */
  turnCommitted(itemId: string, nowMs: number): void {
    const turn = this.#turn(itemId, this.#sound?.fromMs ?? this.#past.at(-1)?.fromMs ?? nowMs);
    turn.open = false;
    turn.committedAtMs = nowMs;
    this.#loudestDbfs = this.#sound?.loudestDbfs;
    const heard = turn.noticed && this.#nearMs(turn) >= ANSWERED_AT_ONCE_MS;
    if (this.#agent === "silent" && heard && this.#followsAgent(turn)) this.#answer(turn);
    this.#judge(nowMs);
  }

  /** Words of the caller in that turn: the whole text so far. */
  callerWords(itemId: string, text: string, final: boolean, nowMs: number): void {
    const turn = this.#turns.get(itemId);
    const meaning = weigh(text);
    if (!turn || (!final && meaning !== "words")) return;
    this.#means(turn, meaning, nowMs);
  }

  /** That turn will not be written down. */
  callerWordsFailed(itemId: string, nowMs: number): void {
    const turn = this.#turns.get(itemId);
    if (turn) this.#means(turn, this.#sounds(turn).some((sound) => sound.mayBeWords) ? "words" : "nothing", nowMs);
  }

  /** Every turn is asked for by us, and an engine that is dead noticed by that. */
  engineLives(): void {}

  /** Time passes; every 40 ms or so. */
  tick(nowMs: number): void {
    if (!this.#judgedByFrame) this.#judge(nowMs);
    this.#judgedByFrame = false;
  }

  /** Waits for enough evidence that somebody makes a sound. */
  #listen(hearing: Readonly<Hearing>, endedAtMs: number, nowMs: number): void {
    if (hearing.speechLike === 0 && this.#score === 0) return;
    const supported = this.#hasOpenTurn();
    const ignored = hearing.ignored && (!supported || this.#overheard);
    // What sounds on behind a vowel is of the same voice, though it is quieter.
    const lasts = hearing.sounds && this.#doubt !== undefined && this.#doubt.nearMs > 0;
    if (hearing.speechLike > 0 && !ignored) {
      this.#doubt ??= new Sound(endedAtMs - FRAME_MS);
      this.#score += FRAME_MS * hearing.speechLike;
    } else {
      this.#score = Math.max(0, this.#score + (lasts && !ignored ? FRAME_MS : -FRAME_MS) / 4);
      if (this.#score === 0) this.#doubt = undefined;
    }
    const doubt = this.#doubt;
    if (!doubt) return;
    doubt.hear(hearing, endedAtMs);
    if (doubt.voicedMs === 0 && !supported) return; // a hiss may be the line
    const enough = supported ? SUPPORTED_SPEECH_MS : this.#settings.minSpeechMs;
    if (this.#score < enough) return;
    const doubtful = this.#agent === "speaks" && this.#meter.echoUnknown;
    if (this.#score < enough + (doubtful ? ECHO_DOUBT_MS : 0)) return;
    if (this.#agent !== "silent" && this.#meter.isOurs(endedAtMs)) {
      this.#score = 0;
      this.#doubt = undefined;
    } else this.#begin(doubt, nowMs);
  }

  /** Whoever makes this sound may want the floor. */
  #begin(sound: Sound, nowMs: number): void {
    this.#sound = sound;
    this.#endedAtMs = undefined;
    this.#doubt = undefined;
    this.#score = 0;
    this.#commands.callerStarted(sound.fromMs);
    this.#hold(true);
    if (this.#agent === "speaks") this.#pause(nowMs);
  }

  #pause(nowMs: number): void {
    this.#agent = "paused";
    this.#meter.cleared(nowMs);
    this.#commands.pause();
  }

  #yield(fromMs: number, nowMs: number): void {
    if (this.#agent === "speaks") this.#meter.cleared(nowMs);
    this.#agent = "silent";
    this.#agentEndedMs = fromMs;
    this.#commands.yieldFloor(fromMs);
    for (const turn of this.#turns.values()) {
      if (turn.committedAtMs !== undefined && this.#nearMs(turn) > 0) this.#answer(turn);
    }
  }

  /** It is known what a turn of the caller means. */
  #means(turn: Turn, meaning: "nothing" | "back-channel" | "words", nowMs: number): void {
    turn.meaning = meaning;
    const sounds = this.#sounds(turn);
    const theirs = this.#nearMs(turn) >= this.#settings.minSpeechMs && !sounds.every((sound) => sound.isFar);
    if (meaning === "words" && theirs) {
      this.#meter.callerSpoke(Math.max(...sounds.map((sound) => (sound.nearMs > 0 ? sound.loudnessDbfs : -100))));
    }
    if (turn.answered) return; // its words come late: what plays is the answer to them
    if (this.#agent === "silent") {
      const wanted =
        meaning === "words" ? theirs || !turn.overAgent : meaning !== "nothing" && this.#followsAgent(turn);
      if (wanted && turn.committedAtMs !== undefined) this.#answer(turn);
    } else if (meaning === "words" && theirs) {
      this.#yield(Math.min(...sounds.map(({ fromMs }) => fromMs)), nowMs);
    } else if (meaning === "back-channel") {
      this.#assent = { turn, atMs: nowMs };
    }
    this.#judge(nowMs);
  }

  /** Decides about the sound, as far as it can be decided by now. */
  #judge(nowMs: number): void {
    const sound = this.#sound;
    if (!sound) return;
    const turns = this.#turnsOf(sound, nowMs);
    if (this.#isSurely(sound, turns)) this.#yield(sound.fromMs, nowMs);
    const open = turns.some((turn) => turn.open);
    const { surelyMs, askAfterMs } = this.#settings;
    const nothing = turns.length > 0 && turns.every(({ meaning }) => meaning === "nothing");
    if ((nothing && sound.ageMs >= surelyMs) || (sound.isNoise && (this.#agent === "paused" || !open))) {
      // Who is far away comes nearer by little when it is the caller after all.
      this.#overheard = sound.isFar;
      const loudestDbfs = (nothing && this.#loudestDbfs) || sound.loudestDbfs;
      this.#meter.ignore(this.#overheard ? loudestDbfs - FAR_RESERVE_DB : loudestDbfs);
      this.#over(nowMs);
      return;
    }
    // The agent has waited for long, and it is hard to know from the sound alone: have it written down.
    const unasked = turns.every(({ committedAtMs }) => committedAtMs === undefined);
    const paused = this.#agent === "paused";
    const patienceMs = (open || !paused ? 2 : 1) * askAfterMs;
    if (unasked && (paused || !open) && sound.ageMs >= patienceMs) this.#end(sound, nowMs);
    if (nowMs - sound.untilMs >= GAP_MS) this.#conclude(sound, turns, nowMs);
  }

  /** Decides about a sound after which it has become quiet. */
  #conclude(sound: Sound, turns: readonly Turn[], nowMs: number): void {
    const { resumeAfterMs, missedQuietMs, stuckQuietMs, wordsWithinMs, mayBeWordsMs } = this.#settings;
    const quietMs = nowMs - sound.untilMs;
    const paused = this.#agent === "paused";
    const settled = turns.length > 0 && turns.every((turn) => turn.answered || turn.meaning !== undefined);
    const short = turns.length === 0 ? !sound.mayBeWords : paused && sound.lengthMs < mayBeWordsMs;
    const open = turns.some((turn) => turn.open);
    const hopeless = open && paused && !sound.mayBeWords && quietMs >= wordsWithinMs;
    if (settled || hopeless || (short && quietMs >= resumeAfterMs)) {
      this.#over(nowMs);
      return;
    }
    const unheardMs = sound.untilMs - Math.max(0, ...turns.map(({ committedAtMs }) => committedAtMs ?? nowMs));
    if (quietMs >= (open ? stuckQuietMs : missedQuietMs) && (open || unheardMs > mayBeWordsMs)) this.#end(sound, nowMs);
    const endedAtMs = this.#endedAtMs ?? 0;
    if (open && endedAtMs === 0) return;
    const madeAtMs = Math.max(endedAtMs, ...turns.map(({ committedAtMs }) => committedAtMs ?? 0));
    if (madeAtMs === 0 || nowMs < Math.max(sound.untilMs, madeAtMs) + wordsWithinMs) return;
    // No words came in time. What was like words is taken for some.
    if (paused && sound.mayBeWords) this.#yield(sound.fromMs, nowMs);
    const made = turns.filter(({ committedAtMs }) => committedAtMs !== undefined);
    if (!paused) for (const turn of made) if (this.#nearMs(turn) >= ANSWERED_AT_ONCE_MS) this.#answer(turn);
    this.#over(nowMs);
  }

  /** Whether so much is like speech, for the engine as well, that no words need to be waited for. */
  #isSurely(sound: Sound, turns: readonly Turn[]): boolean {
    const { surelyMs } = this.#settings;
    if (this.#agent !== "paused" || sound.lengthMs < surelyMs || sound.ageMs >= surelyMs + SURELY_WITHIN_MS)
      return false;
    if (!sound.isSpeech) return false;
    return turns.some((turn) => turn.noticed && Math.abs(turn.fromMs - sound.fromMs) < SAME_START_MS);
  }

  /** The turns that may be this sound. */
  #turnsOf(sound: Sound, nowMs: number): readonly Turn[] {
    if (this.#turns.size === 0) return NO_TURNS;
    for (const { itemId, open, stoppedAtMs = nowMs } of this.#turns.values()) {
      // A turn that we ended came under another name.
      if (open && nowMs > stoppedAtMs + COMMITTED_WITHIN_MS) this.#turns.delete(itemId);
    }
    return [...this.#turns.values()].filter((turn) => meet(turn, sound));
  }

  /** Ends a turn that the engine does not end. */
  #end(sound: Sound, nowMs: number): void {
    // Twice only when more has been said since.
    if (sound.untilMs <= (this.#endedAtMs ?? 0) + this.#settings.mayBeWordsMs) return;
    this.#endedAtMs = nowMs;
    this.#commands.commitTurn();
  }

  /** The sound is over, or means nothing: the agent goes on, or may begin. */
  #over(nowMs: number): void {
    const sound = this.#sound as Sound;
    this.#sound = undefined;
    this.#past = [...this.#past.slice(1 - REMEMBERED), sound];
    this.#commands.callerStopped(sound.untilMs);
    if (this.#agent === "paused") {
      this.#agent = "speaks";
      if (nowMs - this.#resumedAtMs < RESTLESS_MS) this.#meter.ignore(sound.loudestDbfs);
      this.#resumedAtMs = nowMs;
      this.#commands.resume();
    }
    this.#hold(false);
    for (const turn of this.#turns.values()) {
      const doneAtMs = turn.open ? nowMs : (turn.committedAtMs ?? turn.fromMs);
      if (nowMs - doneAtMs > WRITTEN_WITHIN_MS || nowMs - turn.fromMs > LONGEST_TURN_MS)
        this.#turns.delete(turn.itemId);
    }
  }

  #hasOpenTurn(): boolean {
    for (const { open } of this.#turns.values()) if (open) return true;
    return false;
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

  #turn(itemId: string, fromMs: number): Turn {
    let turn = this.#turns.get(itemId);
    if (!turn) {
      turn = { itemId, fromMs, overAgent: this.#agent !== "silent", noticed: false, open: false, answered: false };
      this.#turns.set(itemId, turn);
    }
    return turn;
  }

  /** What we heard during a turn. */
  #sounds(turn: Turn): Sound[] {
    const all = this.#sound ? [...this.#past, this.#sound] : this.#past;
    return all.filter((sound) => meet(turn, sound));
  }

  #nearMs(turn: Turn): number {
    return this.#sounds(turn).reduce((sum, { nearMs }) => sum + nearMs, 0);
  }

  /** Whether a turn came after the agent's last word, so that it may answer it. */
  #followsAgent(turn: Turn): boolean {
    return !turn.overAgent || this.#sounds(turn).some(({ untilMs }) => untilMs > this.#agentEndedMs + GAP_MS);
  }
}

// --- Internal helpers ---

/** Whether a turn may be what we heard. */
function meet({ fromMs, committedAtMs = Number.POSITIVE_INFINITY }: Turn, sound: Sound): boolean {
  return fromMs <= sound.untilMs + SLACK_MS && sound.untilMs >= fromMs - SLACK_MS && sound.fromMs <= committedAtMs;
}
