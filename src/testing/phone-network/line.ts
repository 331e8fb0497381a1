import { encodeMulaw, FRAME_MS, linearToMulaw, MULAW_TO_LINEAR, mulawMs } from "../../audio/g711.ts";
import { Playout } from "./playout.ts";
import { isKey, keyTone } from "./tones.ts";
import type { Line, PersonOptions, Spoken, Voice } from "./types.ts";

const KEY_MS = 100;
/** Silence up to this long still counts as speech going on. */
const SPEECH_GAP_MS = 60;

/** Thrown into whatever a script waits for when the call ends. */
export class CallOver extends Error {
  constructor() {
    super("The call has ended.");
    this.name = "CallOver";
  }
}

export interface PersonLineParts {
  readonly voice: Voice;
  readonly person: PersonOptions;
  readonly onKey: (digit: string) => void;
  readonly onHangUp: () => void;
}

interface Waiter {
  /** Asked before each frame. */
  readonly isDue: () => boolean;
  readonly deadlineMs: number;
  readonly missing: string;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

/** The person's side of one call. Everything in it happens on frame boundaries. */
export class PersonLine implements Line {
  readonly #parts: PersonLineParts;
  readonly #mouth = new Playout();
  readonly #spoken: Spoken[] = [];
  readonly #over = new AbortController();
  #waiters: Waiter[] = [];
  /** Frames begun since answer. */
  #frames = 0;
  #lastHeardMs: number | undefined;

  constructor(parts: PersonLineParts) {
    this.#parts = parts;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get nowMs(): number {
    return this.#frames * FRAME_MS;
  }

  /** What was said so far, as far as it got. */
  get spoken(): Spoken[] {
    const now = this.nowMs;
    return this.#spoken
      .filter(({ startMs }) => startMs < now)
      .map((piece) => ({ ...piece, endMs: Math.min(piece.endMs, now) }));
  }

  async say(text: string): Promise<void> {
    const { voice, person } = this.#parts;
    const samples = await voice.speak(text, { speaker: person.speaker ?? "rms" });
    await this.#utter(text, samples);
  }

  play(samples: Int16Array): Promise<void> {
    return this.#utter("", samples);
  }

  async press(digits: string, { gapMs = 200, tones = false }: { gapMs?: number; tones?: boolean } = {}): Promise<void> {
    for (const digit of digits) {
      if (!isKey(digit)) throw new RangeError(`There is no key "${digit}" on a telephone; use 0-9, *, # or A-D.`);
      this.signal.throwIfAborted();
      this.#parts.onKey(digit);
      if (tones) this.#mouth.enqueue(encodeMulaw(keyTone(digit, KEY_MS)));
      await this.pause(gapMs);
    }
  }

  pause(ms: number): Promise<void> {
    const until = this.nowMs + ms;
    return this.#when(() => this.nowMs >= until, Number.POSITIVE_INFINITY, "");
  }

  waitForSpeech({ timeoutMs = 20_000 }: { timeoutMs?: number } = {}): Promise<void> {
    const isAudible = () => this.#lastHeardMs !== undefined && this.#quietMs() <= SPEECH_GAP_MS;
    return this.#when(isAudible, timeoutMs, "speech");
  }

  waitForQuiet(ms = 700, { timeoutMs = 60_000 }: { timeoutMs?: number } = {}): Promise<void> {
    return this.#when(() => this.#quietMs() >= ms, timeoutMs, `${ms} ms of quiet`);
  }

  async hearReply({ quietMs, timeoutMs }: { quietMs?: number; timeoutMs?: number } = {}): Promise<void> {
    const limit = timeoutMs === undefined ? {} : { timeoutMs };
    await this.waitForSpeech(limit);
    await this.waitForQuiet(quietMs, limit);
  }

  waitForEnd(): Promise<void> {
    return new Promise((resolve) => {
      if (this.signal.aborted) resolve();
      else this.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  hangUp(): void {
    this.#parts.onHangUp();
  }

  /** Lets go of those whose moment has come. To be called before each frame. */
  settle(): void {
    const waiting = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiting) {
      if (waiter.isDue()) waiter.resolve();
      else if (this.nowMs >= waiter.deadlineMs) {
        waiter.reject(new Error(`The person waited in vain for ${waiter.missing} until ${this.nowMs} ms.`));
      } else this.#waiters.push(waiter);
    }
  }

  /** The next frame of the person's voice; `audible` says whether they hear the other side meanwhile. */
  speakFrame(audible: boolean): Uint8Array {
    const frame = this.#mouth.pull();
    this.#addBackground(frame);
    this.#frames += 1;
    if (audible) this.#lastHeardMs = this.nowMs;
    return frame;
  }

  /** The call is over. */
  end(): void {
    const reason = new CallOver();
    this.#over.abort(reason);
    for (const { reject } of this.#waiters) reject(reason);
    this.#waiters = [];
  }

  #utter(text: string, samples: Int16Array): Promise<void> {
    if (this.signal.aborted) return Promise.reject(this.signal.reason);
    const startMs = this.nowMs + mulawMs(this.#mouth.pendingBytes);
    this.#mouth.enqueue(encodeMulaw(samples));
    this.#spoken.push({ text, startMs, endMs: startMs + mulawMs(samples.length) });
    const end = this.#mouth.end;
    return this.#when(() => this.#mouth.hasPlayed(end), Number.POSITIVE_INFINITY, "");
  }

  /** Since the other side was last heard, or since answer. */
  #quietMs(): number {
    return this.nowMs - (this.#lastHeardMs ?? 0);
  }

  #when(isDue: () => boolean, timeoutMs: number, missing: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.signal.aborted) return reject(this.signal.reason);
      if (isDue()) return resolve();
      this.#waiters.push({ isDue, deadlineMs: this.nowMs + timeoutMs, missing, resolve, reject });
    });
  }

  #addBackground(frame: Uint8Array): void {
    const { background } = this.#parts.person;
    if (!background?.length) return;
    const from = this.#frames * frame.length;
    for (let i = 0; i < frame.length; i++) {
      const noise = background[(from + i) % background.length] as number;
      frame[i] = linearToMulaw((MULAW_TO_LINEAR[frame[i] as number] as number) + noise);
    }
  }
}
