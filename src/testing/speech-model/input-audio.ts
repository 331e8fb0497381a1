import { decodeMulaw, SAMPLE_RATE } from "../../audio/g711.ts";
import { type Resampler, resampler } from "../resample.ts";
import type { AudioFormat, TurnDetection } from "./session-config.ts";
import type { VadSource } from "./vad.ts";
import { WireError } from "./wire.ts";

const FRAME_SAMPLES = SAMPLE_RATE / 50;
const SAMPLES_PER_MS = SAMPLE_RATE / 1_000;
/** How much silence is kept while nobody speaks: enough for any prefix. */
const KEEP_MS = 2_000;
/** The most that one append may bring. */
const MAX_APPEND_BYTES = 15 * 1024 * 1024;

/** What the input buffer tells its session. Times are milliseconds of audio since the session began. */
export interface InputEvents {
  speechStarted(audioStartMs: number): void;
  speechStopped(audioEndMs: number): void;
}

/** The input audio buffer of one session, with the turn detector that listens to it. */
export interface InputAudio {
  /** @throws WireError when the audio is not base64 or too long for one event */
  append(base64: string, format: AudioFormat, turns: TurnDetection | null): void;
  /** As `append`, for a phone leg that ends here. */
  hear(samples: Int16Array, turns: TurnDetection | null): void;
  /** Takes what is in the buffer; in detected speech, from its start. @throws WireError when that is nothing */
  commit(): Int16Array;
  clear(): void;
  /** Begins or ends speech by hand, now or at `atMs`. */
  dictate(what: "started" | "stopped", turns: TurnDetection | null, atMs?: number): void;
  readonly totalMs: number;
  readonly speaking: boolean;
}

export function newInputAudio(vad: VadSource, events: InputEvents): InputAudio {
  let held: Int16Array[] = [];
  let heldSamples = 0;
  let totalSamples = 0;
  let frame = new Int16Array(0);
  let speechFrom: number | undefined; // sample index
  let down: Resampler | undefined;

  const drop = (count: number): void => {
    let left = count;
    while (left > 0 && held[0]) {
      const chunk = held[0];
      if (chunk.length > left) held[0] = chunk.subarray(left);
      else held.shift();
      const gone = Math.min(left, chunk.length);
      heldSamples -= gone;
      left -= gone;
    }
  };
  const start = (atMs: number, turns: TurnDetection | null): void => {
    if (speechFrom !== undefined) return;
    const startMs = Math.max(0, atMs - (turns?.prefix_padding_ms ?? 300));
    speechFrom = Math.round(startMs * SAMPLES_PER_MS);
    drop(speechFrom - (totalSamples - heldSamples));
    events.speechStarted(Math.round(startMs));
  };
  const stop = (atMs: number): void => {
    if (speechFrom === undefined) return;
    events.speechStopped(Math.round(atMs));
    speechFrom = undefined;
  };
  const listen = (samples: Int16Array, turns: TurnDetection): void => {
    const joined = concat([frame, samples]);
    let at = 0;
    const base = totalSamples - joined.length;
    for (; at + FRAME_SAMPLES <= joined.length; at += FRAME_SAMPLES) {
      const endMs = (base + at + FRAME_SAMPLES) / SAMPLES_PER_MS;
      for (const verdict of vad.hear(joined.subarray(at, at + FRAME_SAMPLES), endMs, turns)) {
        if (verdict.type === "started") start(verdict.atMs, turns);
        else stop(verdict.atMs);
      }
    }
    frame = joined.slice(at);
    if (speechFrom === undefined) drop(heldSamples - KEEP_MS * SAMPLES_PER_MS);
  };
  const take = (samples: Int16Array, turns: TurnDetection | null): void => {
    held.push(samples);
    heldSamples += samples.length;
    totalSamples += samples.length;
    if (turns) listen(samples, turns);
    else frame = new Int16Array(0);
  };

  return {
    append(base64, format, turns) {
      if (base64.length > (MAX_APPEND_BYTES * 4) / 3) {
        throw new WireError("invalid_value", "Invalid 'audio': more than 15 MiB in one event.", "audio");
      }
      if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
        throw new WireError("invalid_value", "Invalid 'audio'. Expected base64-encoded audio bytes.", "audio");
      }
      const bytes = Buffer.from(base64, "base64");
      if (format.type === "audio/pcmu") return take(decodeMulaw(bytes), turns);
      down ??= resampler(format.rate, SAMPLE_RATE);
      take(down.push(int16(bytes)), turns);
    },
    hear: take,
    commit() {
      const samples = concat(held);
      if (samples.length < 100 * SAMPLES_PER_MS) {
        const hasMs = (samples.length / SAMPLES_PER_MS).toFixed(2);
        throw new WireError(
          "input_audio_buffer_commit_empty",
          `Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has ${hasMs}ms of audio.`,
        );
      }
      held = [];
      heldSamples = 0;
      speechFrom = undefined;
      return samples;
    },
    clear() {
      held = [];
      heldSamples = 0;
      speechFrom = undefined;
    },
    dictate(what, turns, atMs = totalSamples / SAMPLES_PER_MS) {
      if (what === "started") start(atMs, turns);
      else stop(atMs);
    },
    get totalMs() {
      return Math.round(totalSamples / SAMPLES_PER_MS);
    },
    get speaking() {
      return speechFrom !== undefined;
    },
  };
}

// --- Internal helpers ---

function int16(bytes: Buffer): Int16Array {
  return Int16Array.from({ length: bytes.length >> 1 }, (_, i) => bytes.readInt16LE(i * 2));
}

function concat(parts: readonly Int16Array[]): Int16Array<ArrayBuffer> {
  const out = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
