import type { EndReason } from "../core/events.ts";
import type { Clip, ClipName, Clips } from "./clips.ts";
import { type IdleLimits, IdleWatch } from "./idle-watch.ts";
import { SilenceGuard, type Wait } from "./silence-guard.ts";
import type { SilenceMeter } from "./silence-meter.ts";

/** What is done about a wait; the conversation carries it out. */
export interface WaitingCommands {
  /** Plays a clip behind what is there. */
  play(clip: Clip): void;
  /** The tools that run take too long: they are aborted, and the model goes on without their results. */
  abortTools(): void;
  /** The model is to ask whether the caller is still there. */
  askIfThere(): void;
  /** The call ends once what was played has been heard; `farewell` if there is no clip that says it. */
  leave(reason: EndReason, said: boolean): void;
}

export interface WaitingParts {
  readonly silence: SilenceMeter;
  /** Absent where nothing was rendered: the model alone speaks then. */
  readonly clips: Pick<Clips, "get"> | undefined;
  readonly idle: IdleLimits;
  readonly commands: WaitingCommands;
}

/** A caller who has been quiet for so long when we end their turn waits for us. */
const QUIET_MS = 500;

/** Knows what the caller waits for, and has the silence broken, the waiting ended, or the caller asked. */
export class Waiting {
  readonly #parts: WaitingParts;
  readonly #guard = new SilenceGuard();
  readonly #idle: IdleWatch;
  #answeredAtMs: number | undefined;
  #answerSinceMs: number | undefined;
  #turnSinceMs: number | undefined;
  #engineSinceMs: number | undefined;
  #tools = 0;
  #toolSinceMs = 0;
  #lastSignMs = 0;
  #leaving = false;

  constructor(parts: WaitingParts) {
    this.#parts = parts;
    this.#idle = new IdleWatch(parts.idle);
  }

  /** The call was answered; the model may not be there yet. */
  answered(atMs: number): void {
    this.#answeredAtMs = atMs;
    this.#lastSignMs = atMs;
    this.#parts.silence.answered(atMs);
    if (this.#engineSinceMs !== undefined) this.#engineSinceMs = atMs;
  }

  /** There is no model, or none any more: one is being got. */
  engineAway(nowMs: number): void {
    this.#engineSinceMs ??= nowMs;
    this.#owe(nowMs);
  }

  /** The model is there. */
  engineThere(nowMs: number): void {
    this.#engineSinceMs = undefined;
    this.#settle(nowMs);
  }

  /** The model was asked to speak. */
  answerDue(nowMs: number): void {
    this.#answerSinceMs ??= nowMs;
    this.#owe(nowMs);
  }

  /** The model gives sound, or is not to be waited for any more. */
  answerCame(nowMs: number): void {
    this.#answerSinceMs = undefined;
    this.#turnSinceMs = undefined;
    this.#parts.silence.answerCame(nowMs);
  }

  /** We ended a turn of the caller's that the model had not noticed: it is to take it up. */
  turnEnded(nowMs: number): void {
    this.#turnSinceMs ??= nowMs;
    this.#owe(nowMs);
  }

  /** The model has said something about that turn: it lives, and what comes of the turn is known soon. */
  turnTaken(nowMs: number): void {
    if (this.#turnSinceMs === undefined) return;
    this.#turnSinceMs = undefined;
    this.#settle(nowMs);
  }

  toolStarted(nowMs: number): void {
    if (this.#tools === 0) this.#toolSinceMs = nowMs;
    this.#tools += 1;
    this.#parts.silence.toolStarted(nowMs);
  }

  toolFinished(nowMs: number): void {
    this.#tools -= 1;
    this.#parts.silence.toolFinished(nowMs);
  }

  /** The caller said words, or pressed a key. */
  sign(nowMs: number): void {
    this.#lastSignMs = nowMs;
  }

  /**
   * The shared beat. `modelSounds`: whether audio of the model's is queued or plays. `starved`: whether there is none
   * although the model has not finished what it began to say.
   */
  tick(nowMs: number, { modelSounds, starved }: { modelSounds: boolean; starved: boolean }): void {
    if (this.#answeredAtMs === undefined || this.#leaving) return;
    const { silence, commands } = this.#parts;
    if (starved && !silence.callerSpeaks) this.answerDue(nowMs);
    const quiet = nowMs - silence.callerHeardUntilMs >= QUIET_MS;
    if (this.#turnSinceMs !== undefined && silence.callerSpeaks && quiet) silence.callerStopped(nowMs);
    const action = this.#guard.tick(nowMs, {
      silentSinceMs: silence.silentSinceMs(nowMs),
      callerSpeaks: silence.callerSpeaks,
      agentAudio: modelSounds,
      wait: this.#wait(),
    });
    const said = action?.play !== undefined && this.#play(action.play);
    if (action && "giveUp" in action) {
      if (action.giveUp === "tool") commands.abortTools();
      else this.#leave("engine_error", said);
      return;
    }
    const idle = this.#idle.tick(nowMs, {
      callersTurnSinceMs: silence.callersTurnSinceMs(nowMs),
      lastSignMs: this.#lastSignMs,
    });
    if (idle?.idle === "prompt") commands.askIfThere();
    if (idle?.idle === "end") this.#leave("idle", this.#play("goodbye"));
  }

  /** Plays a clip. Says whether there is one. */
  #play(name: ClipName): boolean {
    const clip = this.#parts.clips?.get(name);
    if (clip) this.#parts.commands.play(clip);
    return clip !== undefined;
  }

  #leave(reason: EndReason, said: boolean): void {
    this.#leaving = true;
    this.#parts.commands.leave(reason, said);
  }

  #owe(nowMs: number): void {
    this.#parts.silence.answerDue(nowMs);
  }

  /** Something that was waited for is there: nothing is owed if it was the last. */
  #settle(nowMs: number): void {
    const owed = [this.#answerSinceMs, this.#turnSinceMs, this.#engineSinceMs].some((since) => since !== undefined);
    if (!owed) this.#parts.silence.answerCame(nowMs);
  }

  #wait(): Wait | undefined {
    if (this.#engineSinceMs !== undefined) return { for: "engine", sinceMs: this.#engineSinceMs };
    if (this.#tools > 0) return { for: "tool", sinceMs: this.#toolSinceMs };
    const sinceMs = this.#answerSinceMs ?? this.#turnSinceMs;
    return sinceMs === undefined ? undefined : { for: "answer", sinceMs };
  }
}
