import { FRAME_BYTES, FRAME_MS, isAudible } from "../audio/g711.ts";
import type { Piece } from "../audio/pacer.ts";

/**
 * Measures the longest silence of a call: no outgoing audio above −45 dBFS, by playout, from the moment somebody waits
 * for us (answered, the caller's turn ended, an answer due, a tool running) to the next audible frame; not while the
 * caller has the turn. All times are on one clock, in milliseconds.
 */
export class SilenceMeter {
  #waitingSinceMs: number | undefined;
  #longestMs = 0;
  /** When audible frames that were sent start to play, oldest first. */
  #audibleAtMs: number[] = [];
  #lastAudibleEndMs = 0;
  #callerHeardUntilMs = 0;
  #callerSpeaks = false;
  #answered = false;
  #answerDue = false;
  #toolsRunning = 0;

  /** When the caller's last audible frame ended. */
  get callerHeardUntilMs(): number {
    return this.#callerHeardUntilMs;
  }

  /** Whether the caller has the turn. */
  get callerSpeaks(): boolean {
    return this.#callerSpeaks;
  }

  /** Whether we owe the caller something: then every gap is one in which they wait. */
  get #owing(): boolean {
    return this.#answerDue || this.#toolsRunning > 0;
  }

  /**
   * Since when the caller waits and hears nothing: in the future while audible sound that was sent has yet to play.
   * Absent: they do not wait, or the wait ends with what was sent.
   */
  silentSinceMs(nowMs: number): number | undefined {
    this.#settle(nowMs);
    const lastMs = this.#audibleAtMs.at(-1);
    if (this.#waitingSinceMs === undefined || lastMs === undefined) return this.#waitingSinceMs;
    return this.#owing ? lastMs + FRAME_MS : undefined;
  }

  /** Since when it is for the caller to speak: our words have played, nobody speaks, and we owe nothing. */
  callersTurnSinceMs(nowMs: number): number | undefined {
    this.#settle(nowMs);
    const busy = this.#callerSpeaks || this.#waitingSinceMs !== undefined || this.#audibleAtMs.length > 0;
    return busy || !this.#answered ? undefined : this.#lastAudibleEndMs;
  }

  /** The call was answered: from now on somebody waits. */
  answered(nowMs: number): void {
    this.#answered = true;
    this.#waitingSinceMs = nowMs;
    this.#callerHeardUntilMs = nowMs;
  }

  /** A frame of the caller ended now. */
  callerFrame(audible: boolean, nowMs: number): void {
    if (audible) this.#callerHeardUntilMs = nowMs;
  }

  /** The caller has taken the turn, with speech that began at `spokeFromMs`: until then they waited. */
  callerStarted(spokeFromMs: number, nowMs: number): void {
    this.#settle(nowMs);
    this.#callerSpeaks = true;
    if (this.#waitingSinceMs === undefined) return;
    // What follows our own words belongs to the caller; only a caller who still waits is kept waiting.
    this.#longestMs = Math.max(this.#longestMs, spokeFromMs - this.#waitingSinceMs);
    this.#waitingSinceMs = undefined;
  }

  /** The caller has given the turn back: they wait since their last audible frame. */
  callerStopped(nowMs: number): void {
    this.#settle(nowMs);
    this.#callerSpeaks = false;
    this.#waitingSinceMs = Math.max(this.#callerHeardUntilMs, Math.min(this.#lastAudibleEndMs, nowMs));
  }

  /** A tool began to run: whoever hears nothing while it does, waits, also after words that bridge the time. */
  toolStarted(nowMs: number): void {
    this.#settle(nowMs);
    this.#toolsRunning += 1;
    this.#wait(nowMs);
  }

  /** A tool has its result. */
  toolFinished(nowMs: number): void {
    this.#settle(nowMs);
    this.#toolsRunning -= 1;
  }

  /** An answer of the model's, or a session, is due: until it comes every gap counts, also one after cues and phrases. */
  answerDue(nowMs: number): void {
    this.#settle(nowMs);
    this.#answerDue = true;
    this.#wait(nowMs);
  }

  /** What was due is there, with the sound that is sent next, or is not to be expected any more. */
  answerCame(nowMs: number): void {
    this.#settle(nowMs);
    this.#answerDue = false;
  }

  /** Pieces were handed to the carrier; they play `lagMs` later than they say. */
  sent(pieces: readonly Piece[], lagMs = 0): void {
    for (const { audio, startsAtMs } of pieces) {
      for (let at = 0; at < audio.length; at += FRAME_BYTES) {
        if (isAudible(audio, undefined, at, at + FRAME_BYTES)) this.#audibleAtMs.push(startsAtMs + lagMs + at / 8);
      }
    }
  }

  /** What was sent and has not played was thrown away. */
  cleared(nowMs: number): void {
    this.#settle(nowMs);
    this.#audibleAtMs = [];
    this.#lastAudibleEndMs = Math.min(this.#lastAudibleEndMs, nowMs);
  }

  /** The longest silence until now; the call's last word when it ends. */
  longestMs(nowMs: number): number {
    this.#settle(nowMs);
    const open = this.#waitingSinceMs === undefined ? 0 : nowMs - this.#waitingSinceMs;
    return Math.round(Math.max(this.#longestMs, open));
  }

  #wait(nowMs: number): void {
    if (this.#answered && !this.#callerSpeaks) this.#waitingSinceMs ??= nowMs;
  }

  /** Plays the queue up to now. */
  #settle(nowMs: number): void {
    let played = 0;
    for (const startsAtMs of this.#audibleAtMs) {
      if (startsAtMs > nowMs) break;
      played += 1;
      if (this.#waitingSinceMs !== undefined && startsAtMs >= this.#waitingSinceMs) {
        this.#longestMs = Math.max(this.#longestMs, startsAtMs - this.#waitingSinceMs);
        this.#waitingSinceMs = undefined;
      }
      this.#lastAudibleEndMs = startsAtMs + FRAME_MS;
      if (this.#owing && !this.#callerSpeaks) this.#waitingSinceMs = this.#lastAudibleEndMs;
    }
    if (played > 0) this.#audibleAtMs.splice(0, played);
  }
}
