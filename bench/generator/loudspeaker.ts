import { FRAME_MS } from "../../src/audio/g711.ts";
import { responseOf } from "../content.ts";

/** One response as a telephone plays it. */
export interface Playing {
  readonly response: number;
  /** When each block begins to play, in the order in which they came. */
  readonly starts: number[];
}

/** What Twilio holds of a call's sound: it plays in the order in which it came, without a pause while there is any. */
export class Loudspeaker {
  #playsUntilMs = 0;
  #playing: Playing | undefined;

  /** The newest response that has come. */
  get playing(): Playing | undefined {
    return this.#playing;
  }

  /** When all that has come has played. */
  get playsUntilMs(): number {
    return this.#playsUntilMs;
  }

  queuedMs(nowMs: number): number {
    return Math.max(0, this.#playsUntilMs - nowMs);
  }

  /** Whether anything of the newest response has yet to play. */
  hasToPlay(nowMs: number): boolean {
    const last = this.#playing?.starts.at(-1);
    return last !== undefined && last + FRAME_MS > nowMs && this.#playsUntilMs > nowMs;
  }

  /** Takes a block in. Says how long nothing played within the same response before it. */
  push(nowMs: number, number: number): number {
    const response = responseOf(number);
    const isNew = this.#playing?.response !== response;
    if (isNew) this.#playing = { response, starts: [] };
    const playing = this.#playing as Playing;
    const gapMs = isNew ? 0 : Math.max(0, nowMs - this.#playsUntilMs);
    const startsAtMs = Math.max(nowMs, this.#playsUntilMs);
    playing.starts.push(startsAtMs);
    this.#playsUntilMs = startsAtMs + FRAME_MS;
    return gapMs;
  }

  /** Takes in a block that belongs to no response. */
  pushOther(nowMs: number): void {
    this.#playsUntilMs = Math.max(nowMs, this.#playsUntilMs) + FRAME_MS;
  }

  /** Throws away what has not played. */
  clear(nowMs: number): void {
    this.#playsUntilMs = Math.min(this.#playsUntilMs, nowMs);
    const starts = this.#playing?.starts ?? [];
    while ((starts.at(-1) ?? nowMs) > nowMs) starts.pop();
  }

  /** Milliseconds of the newest response that have played, when nothing was thrown away before `nowMs`. */
  playedMs(nowMs: number): number {
    let played = 0;
    for (const start of this.#playing?.starts ?? []) played += Math.min(FRAME_MS, Math.max(0, nowMs - start));
    return played;
  }
}
