import { FrameTrack } from "../../audio/frame-track.ts";
import { MULAW_SILENCE, SAMPLE_RATE } from "../../audio/g711.ts";
import type { Piece } from "../../audio/pacer.ts";
import { StereoTape } from "../../audio/stereo-tape.ts";
import { STEREO_BYTES } from "../../audio/wav-mulaw.ts";
import type { MediaTap } from "../media-bridge.ts";
import type { Ticker } from "../ticker.ts";
import { SEGMENT_BYTES } from "./sealed.ts";
import type { RecordingWriter } from "./writer.ts";

const samples = (ms: number): number => Math.round((ms * SAMPLE_RATE) / 1000);

/** Samples that are written at once: 400 ms. */
const CHUNK = SEGMENT_BYTES / STEREO_BYTES;
/** What is so old is written: by then late frames have come, and what is to be hidden is known. */
const LAG = samples(400);
/** So long frames of the caller are waited for that do not come. */
const MOST_LAG = samples(2_000);
/** After a beat so late frames of the caller still wait in the socket: the next beat is soon enough. */
const LATE_BEAT_MS = 200;
/** Pieces of the agent that follow one another so closely have nothing between them. */
const SEAM = samples(40);
/** How far a key's tone reaches before and after the moment at which we learn of the key. */
const TONE = { beforeMs: 380, afterMs: 300 } as const;

export interface RecorderParts {
  readonly writer: RecordingWriter;
  readonly ticker: Pick<Ticker, "add">;
  /** When the call was answered: the recording's zero. */
  readonly answeredAtMs: number;
  /** From when on sound is kept. */
  readonly fromMs: number;
}

/**
 * Makes the recording of a call of what passes through its media bridge: the caller as they came, the agent as it was
 * heard, each where it sounded. It keeps a second or so in memory and hands what is older to the disk; nothing here
 * waits for anything.
 */
export class Recorder implements MediaTap {
  readonly #writer: RecordingWriter;
  readonly #answeredAtMs: number;
  readonly #tape: StereoTape;
  readonly #caller: FrameTrack;
  #agentUntil = 0;
  /** Stretches of which nothing is kept, oldest first; the last one may be open. */
  #hidden: { readonly from: number; until: number }[] = [];
  #lastBeatMs: number;
  #skipped = false;
  #leaveTicker: (() => void) | undefined;

  constructor({ writer, ticker, answeredAtMs, fromMs }: RecorderParts) {
    this.#writer = writer;
    this.#answeredAtMs = answeredAtMs;
    this.#tape = new StereoTape(startSample(answeredAtMs, fromMs));
    this.#caller = new FrameTrack(this.#tape, "caller");
    this.#lastBeatMs = fromMs;
    this.#leaveTicker = ticker.add((nowMs) => this.#beat(nowMs));
  }

  callerFrame(frame: Uint8Array, nowMs: number): void {
    const next = this.#caller.next;
    if (next !== undefined) this.#makeRoom(next + frame.length);
    this.#caller.add(frame, this.#at(nowMs));
  }

  agentPlays(pieces: readonly Piece[]): void {
    for (const { audio, startsAtMs } of pieces) {
      const due = this.#at(startsAtMs);
      const at = Math.abs(due - this.#agentUntil) <= SEAM ? this.#agentUntil : due;
      this.#makeRoom(at + audio.length);
      this.#tape.lay("agent", at, audio);
      this.#agentUntil = at + audio.length;
    }
  }

  cleared(nowMs: number): void {
    const cutAt = this.#at(nowMs);
    if (this.#agentUntil <= cutAt) return;
    this.#tape.wipe("agent", cutAt, this.#agentUntil);
    this.#agentUntil = Number.NEGATIVE_INFINITY; // what comes next, however soon, is no part of what was cut off
  }

  /** Keeps nothing from now on: silence stands in its place. */
  pause(nowMs: number): void {
    if (!this.paused) this.#hidden.push({ from: this.#at(nowMs), until: Number.POSITIVE_INFINITY });
  }

  /** Keeps what comes from now on. */
  resume(nowMs: number): void {
    const open = this.#hidden.find(({ until }) => until === Number.POSITIVE_INFINITY);
    if (open) open.until = this.#at(nowMs);
  }

  get paused(): boolean {
    return this.#hidden.some(({ until }) => until === Number.POSITIVE_INFINITY);
  }

  /** A key was pressed that nobody may know: its tone is not kept. */
  hideKey(nowMs: number): void {
    this.#hidden.push({ from: this.#at(nowMs - TONE.beforeMs), until: this.#at(nowMs + TONE.afterMs) });
  }

  /** Ends the recording at a time. Resolves when it is whole on the disk. @throws Error it is not */
  async stop(atMs: number): Promise<{ readonly durationMs: number; readonly bytes: number }> {
    this.leave();
    const end = this.#at(atMs);
    while (end - this.#tape.from >= CHUNK) {
      if (!this.#hand()) break;
    }
    const rest = Buffer.alloc(Math.max(0, Math.min(end - this.#tape.from, CHUNK - 1)) * STEREO_BYTES);
    this.#takeOff(rest);
    const { soundBytes, bytes } = await this.#writer.finish(rest);
    return { bytes, durationMs: durationOf(soundBytes) };
  }

  /** Stops listening; nothing is written any more. */
  leave(): void {
    this.#leaveTicker?.();
    this.#leaveTicker = undefined;
  }

  #beat(nowMs: number): void {
    const sinceMs = nowMs - this.#lastBeatMs;
    this.#lastBeatMs = nowMs;
    this.#skipped = sinceMs > LATE_BEAT_MS && !this.#skipped;
    if (this.#skipped) return;
    const now = this.#at(nowMs);
    const heard = Math.max(this.#caller.next ?? now, now - MOST_LAG);
    const until = Math.min(now - LAG, heard);
    while (until - this.#tape.from >= CHUNK && this.#hand());
  }

  /** This process stood still for longer than the tape is: what is oldest goes, whether all of it has come or not. */
  #makeRoom(until: number): void {
    while (until > this.#tape.until && this.#hand());
  }

  /** Hands the oldest chunk to the disk. Whether it takes it. */
  #hand(): boolean {
    const chunk = this.#writer.room();
    if (!chunk) {
      this.leave();
      return false;
    }
    this.#takeOff(chunk);
    this.#writer.add(chunk);
    return true;
  }

  #takeOff(into: Buffer): void {
    const from = this.#tape.from;
    this.#tape.takeOff(into);
    if (this.#hidden.length === 0) return;
    const until = this.#tape.from;
    for (const hidden of this.#hidden) {
      const first = Math.max(hidden.from, from);
      const end = Math.min(hidden.until, until);
      if (first < end) into.fill(MULAW_SILENCE, (first - from) * STEREO_BYTES, (end - from) * STEREO_BYTES);
    }
    this.#hidden = this.#hidden.filter((hidden) => hidden.until > until);
  }

  #at(ms: number): number {
    return samples(ms - this.#answeredAtMs);
  }
}

/** Where a recording begins that keeps sound from `fromMs` on, in samples from the answer. */
export function startSample(answeredAtMs: number, fromMs: number): number {
  return Math.max(0, samples(fromMs - answeredAtMs));
}

/** Milliseconds of so many bytes of both sides. */
export function durationOf(soundBytes: number): number {
  return (soundBytes / STEREO_BYTES / SAMPLE_RATE) * 1000;
}

/** Bytes of both sides in so many milliseconds. */
export function soundBytesOf(durationMs: number): number {
  return samples(durationMs) * STEREO_BYTES;
}
