import { decodeMulaw, encodeMulaw, FRAME_BYTES, FRAME_MS, MULAW_SILENCE, SAMPLE_RATE } from "../../src/audio/g711.ts";
import { encodeWav } from "../../src/audio/wav.ts";
import type { MediaLeg, MediaListener } from "../../src/carriers/carrier.ts";
import type { Clock, Timer } from "../../src/core/clock.ts";
import type { Random } from "./random.ts";
import { samplesOf, type Wave } from "./waves.ts";

/** How the agent's voice comes back from the other end. */
export interface Echo {
  readonly lagMs: number;
  /** Relative to what we send; below 0. */
  readonly gainDb: number;
}

export interface LineParts {
  readonly clock: Clock;
  readonly random: Random;
  /** Everything that sounds at the caller's end but our echo. Silence follows. */
  readonly caller: Wave;
  readonly echo?: Echo;
  /** From the carrier to us, and from us to the carrier. */
  readonly wayMs: number;
}

/** Agent sound that played without a gap. */
export interface Run {
  readonly fromMs: number;
  readonly audio: Buffer;
}

interface Arrival {
  readonly dueMs: number;
  readonly what: { audio: Uint8Array } | { mark: string } | "clear";
}

/**
 * A telephone line with its carrier: plays what it is sent in frames of 20 ms, and records both ends as they sound at
 * the telephone. Whatever passes between it and us takes `wayMs`.
 */
export class Line implements MediaLeg {
  readonly legId = "leg_1";
  readonly streamId = "stream_1";
  readonly token = undefined;
  readonly bufferedBytes = 0;
  readonly #parts: LineParts;
  readonly #caller: Int16Array[] = [];
  readonly #agent: Int16Array[] = [];
  /** A telephone passes little of the lowest tones: a high pass of the first order, by its pole. */
  readonly #pole: number;
  #lastIn = 0;
  #lastOut = 0;
  readonly #taps: readonly { readonly delay: number; readonly gain: number }[];
  #arrivals: Arrival[] = [];
  #queue: (Uint8Array | { mark: string })[] = [];
  #runs: { fromMs: number; pieces: Uint8Array[] }[] = [];
  #running = false;
  #playedBytes = 0;
  #frames = 0;
  #beat: Timer | undefined;

  constructor(parts: LineParts) {
    this.#parts = parts;
    const { echo, random } = parts;
    this.#pole = Math.exp((-2 * Math.PI * random.between(80, 300)) / SAMPLE_RATE);
    this.#taps = echo
      ? [1, random.between(-0.5, 0.5), random.between(-0.3, 0.3), random.between(-0.2, 0.2)].map((gain, index) => ({
          delay: samplesOf(echo.lagMs) + index * random.whole(3, 18),
          gain: gain * 10 ** (echo.gainDb / 20),
        }))
      : [];
  }

  listen(listener: MediaListener): void {
    this.#beat = this.#parts.clock.every(FRAME_MS, () => this.#frame(listener));
  }
  sendAudio(audio: Uint8Array): void {
    this.#arrives({ audio: Uint8Array.from(audio) });
  }
  mark(name: string): void {
    this.#arrives({ mark: name });
  }
  together(sends: () => void): void {
    sends();
  }

  clear(): void {
    this.#arrives("clear");
  }
  close(): void {
    this.#beat?.stop();
  }

  /** How long it has been recorded. */
  get recordedMs(): number {
    return this.#frames * FRAME_MS;
  }

  /** How much of the agent sounded. */
  get playedBytes(): number {
    return this.#playedBytes;
  }

  /** What of the agent sounded, in stretches without a gap or a jump. */
  get runs(): Run[] {
    return this.#runs.map(({ fromMs, pieces }) => ({ fromMs, audio: Buffer.concat(pieces) }));
  }

  /** Both ends as they sounded at the telephone: the caller left, the agent right. */
  tape(): Buffer {
    return encodeWav({ sampleRate: SAMPLE_RATE, channels: [joined(this.#caller), joined(this.#agent)] });
  }

  #arrives(what: Arrival["what"]): void {
    this.#arrivals.push({ dueMs: this.#parts.clock.now() + this.#parts.wayMs, what });
  }

  #frame(listener: MediaListener): void {
    this.#takeArrivals(listener);
    this.#agent.push(decodeMulaw(this.#play(listener)));
    const frame = encodeMulaw(this.#sounds(this.#frames * FRAME_BYTES));
    this.#frames += 1;
    this.#caller.push(decodeMulaw(frame));
    const base64 = Buffer.from(Buffer.from(frame).toString("base64"), "latin1");
    this.#parts.clock.after(this.#parts.wayMs, () => listener.audio(base64));
  }

  /** What the telephone picks up from `start` on. */
  #sounds(start: number): Int16Array {
    const picked = new Float32Array(FRAME_BYTES);
    picked.set(this.#parts.caller.subarray(start, start + FRAME_BYTES));
    for (const { delay, gain } of this.#taps) {
      for (let i = Math.max(0, delay - start); i < FRAME_BYTES; i++) {
        const from = start + i - delay;
        const sent = this.#agent[Math.floor(from / FRAME_BYTES)]?.[from % FRAME_BYTES] ?? 0;
        picked[i] = (picked[i] as number) + (gain * sent) / 32_768;
      }
    }
    const out = new Int16Array(FRAME_BYTES);
    for (let i = 0; i < FRAME_BYTES; i++) {
      const x = picked[i] as number;
      this.#lastOut = this.#pole * (this.#lastOut + x - this.#lastIn);
      this.#lastIn = x;
      out[i] = Math.max(-32_768, Math.min(32_767, this.#lastOut * 32_768));
    }
    return out;
  }

  #takeArrivals(listener: MediaListener): void {
    const now = this.#parts.clock.now();
    while (this.#arrivals[0] && this.#arrivals[0].dueMs <= now) {
      const { what } = this.#arrivals.shift() as Arrival;
      if (what !== "clear") {
        this.#queue.push("audio" in what ? what.audio : what);
        continue;
      }
      const dropped = this.#queue;
      this.#queue = [];
      this.#running = false;
      for (const one of dropped) if ("mark" in one) this.#marked(one.mark, listener);
    }
  }

  #play(listener: MediaListener): Uint8Array {
    const frame = new Uint8Array(FRAME_BYTES).fill(MULAW_SILENCE);
    let filled = 0;
    while (this.#queue.length > 0) {
      const first = this.#queue[0] as Uint8Array | { mark: string };
      if ("mark" in first) this.#marked(first.mark, listener);
      else if (filled === FRAME_BYTES) break;
      this.#queue.shift();
      if ("mark" in first) continue;
      const part = first.subarray(0, FRAME_BYTES - filled);
      frame.set(part, filled);
      filled += part.length;
      if (part.length < first.length) this.#queue.unshift(first.subarray(part.length));
    }
    if (filled > 0 && !this.#running) this.#runs.push({ fromMs: this.recordedMs, pieces: [] });
    this.#running = filled > 0;
    this.#playedBytes += filled;
    if (filled > 0) this.#runs.at(-1)?.pieces.push(frame.subarray(0, filled));
    return frame;
  }

  #marked(name: string, listener: MediaListener): void {
    this.#parts.clock.after(this.#parts.wayMs, () => listener.marked(name));
  }
}

// --- Internal helpers ---

function joined(frames: readonly Int16Array[]): Int16Array {
  const whole = new Int16Array(frames.length * FRAME_BYTES);
  frames.forEach((frame, index) => {
    whole.set(frame, index * FRAME_BYTES);
  });
  return whole;
}
