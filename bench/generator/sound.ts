import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeMulaw, FRAME_BYTES, MULAW_SILENCE, SAMPLE_RATE } from "../../src/audio/g711.ts";

/** Sound as 160-byte µ-law blocks, repeated from the start when it is used up. */
export type Sound = readonly Uint8Array[];

/** A second of a quiet room: noise of about −62 dBFS. */
export function roomTone(): Sound {
  const random = randomNumbers(7);
  return blocks(Float64Array.from({ length: SAMPLE_RATE }, () => (random() - 0.5) * 90));
}

/**
 * A second of something that a meter takes for a person: a voiced sound with falling pitch, three formants and four
 * syllables, about −15 dBFS in its loud parts and never silent, begun in the midst of a syllable.
 */
export function speech(pitchHz: number): Sound {
  const random = randomNumbers(pitchHz);
  const samples = new Float64Array(SAMPLE_RATE);
  let phase = 0;
  for (let i = 0; i < samples.length; i++) {
    const seconds = i / SAMPLE_RATE;
    const pitch = pitchHz * (1.1 - 0.2 * (seconds % 0.25) * 4);
    phase += pitch / SAMPLE_RATE;
    let voiced = 0;
    for (let harmonic = 1; harmonic * pitch < 3_400; harmonic++) {
      voiced += formants(harmonic * pitch) * Math.sin(2 * Math.PI * harmonic * phase);
    }
    const syllable = 0.35 + 0.65 * Math.cos(2 * Math.PI * 4 * seconds) ** 2;
    samples[i] = 7_000 * syllable * (voiced + 0.04 * (random() - 0.5));
  }
  return blocks(samples);
}

/** Every frame of the clips that our plugin ships: what it plays of its own while somebody waits is no fault. */
export async function clipFrames(): Promise<ReadonlySet<string>> {
  const folder = fileURLToPath(new URL("../../clips/en", import.meta.url));
  const files = (await readdir(folder)).filter((name) => name.endsWith(".ulaw"));
  const clips = await Promise.all(files.map((name) => readFile(join(folder, name))));
  return new Set(
    clips.flatMap((bytes) => {
      const whole = Buffer.alloc(Math.ceil(bytes.length / FRAME_BYTES) * FRAME_BYTES, MULAW_SILENCE);
      bytes.copy(whole);
      return Array.from({ length: whole.length / FRAME_BYTES }, (_, i) => frameKey(whole, i * FRAME_BYTES));
    }),
  );
}

/** The frame at `at` as something that can be looked up. */
export const frameKey = (bytes: Buffer, at: number): string => bytes.toString("latin1", at, at + FRAME_BYTES);

// --- Internal helpers ---

function formants(hz: number): number {
  const peak = (at: number, width: number) => 1 / (1 + ((hz - at) / width) ** 2);
  return 0.5 * peak(550, 120) + 0.25 * peak(1_500, 160) + 0.1 * peak(2_500, 200);
}

function blocks(samples: Float64Array): Sound {
  const bytes = encodeMulaw(Int16Array.from(samples, (sample) => Math.max(-32_000, Math.min(32_000, sample))));
  return Array.from({ length: bytes.length / FRAME_BYTES }, (_, i) =>
    bytes.slice(i * FRAME_BYTES, (i + 1) * FRAME_BYTES),
  );
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
