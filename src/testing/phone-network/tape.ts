import { decodeMulaw, FRAME_BYTES, FRAME_MS, isAudible, SAMPLE_RATE } from "../../audio/g711.ts";
import { encodeWav } from "../../audio/wav.ts";
import type { Segment } from "./types.ts";

const FIRST_FRAMES = 512;

/** Both directions of a call from its answer on, frame by frame, as µ-law. */
export class Tape {
  #spoken = new Uint8Array(FIRST_FRAMES * FRAME_BYTES);
  #heard = new Uint8Array(FIRST_FRAMES * FRAME_BYTES);
  #bytes = 0;

  /** Frames recorded so far. */
  get frames(): number {
    return this.#bytes / FRAME_BYTES;
  }

  append(spoken: Uint8Array, heard: Uint8Array): void {
    if (this.#bytes + FRAME_BYTES > this.#spoken.length) {
      this.#spoken = grown(this.#spoken);
      this.#heard = grown(this.#heard);
    }
    this.#spoken.set(spoken, this.#bytes);
    this.#heard.set(heard, this.#bytes);
    this.#bytes += FRAME_BYTES;
  }

  /** µ-law of what the person said. */
  get spoken(): Uint8Array {
    return this.#spoken.subarray(0, this.#bytes);
  }

  /** µ-law of what the person heard. */
  get heard(): Uint8Array {
    return this.#heard.subarray(0, this.#bytes);
  }

  /** Left: spoken. Right: heard. */
  toWav(): Buffer {
    const channels = [this.spoken, this.heard].map((side) => decodeMulaw(side));
    return encodeWav({ sampleRate: SAMPLE_RATE, channels });
  }

  /** Where the person heard something; see `CallReport.heardSegments`. */
  heardSegments(): Segment[] {
    const segments: { startMs: number; endMs: number }[] = [];
    for (let index = 0; index < this.frames; index++) {
      if (!isAudible(this.#heard.subarray(index * FRAME_BYTES, (index + 1) * FRAME_BYTES))) continue;
      const startMs = index * FRAME_MS;
      const last = segments.at(-1);
      if (last && startMs - last.endMs < 200) last.endMs = startMs + FRAME_MS;
      else segments.push({ startMs, endMs: startMs + FRAME_MS });
    }
    return segments;
  }
}

function grown(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}
