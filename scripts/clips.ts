// Renders the clips that the package brings, in English, into clips/en: raw µ-law at 8 kHz.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeMulaw, SAMPLE_RATE } from "../src/audio/g711.ts";
import { CLIP_TEXTS } from "../src/calls/clips.ts";
import { fliteVoice } from "../src/testing/voice.ts";

/** Loudness of speech, RMS over all of a clip: that of a person on the phone. */
const SPEECH_DBFS = -20;
/** Highest peak: what is louder would be cut by µ-law. */
const PEAK_DBFS = -1;
/** Loudness of the cue while a note sounds. */
const CUE_DBFS = -24;
/** Samples over which an end fades: 8 ms. */
const FADE = 64;

const folder = fileURLToPath(new URL("../clips/en", import.meta.url));
const voice = fliteVoice();
await mkdir(folder, { recursive: true });
for (const [name, text] of Object.entries(CLIP_TEXTS)) {
  const samples = text === "" ? cue() : faded(level(trimmed(await voice.speak(text, { speaker: "slt" })), SPEECH_DBFS));
  await writeFile(join(folder, `${name}.ulaw`), encodeMulaw(samples));
}
await voice.close();

// --- Internal helpers ---

/** Two soft notes, a fourth apart, the second into the end of the first. */
function cue(): Int16Array {
  const samples = new Float64Array(0.36 * SAMPLE_RATE);
  addNote(samples, { hz: 587.33, fromMs: 0, forMs: 190 });
  addNote(samples, { hz: 783.99, fromMs: 150, forMs: 210 });
  return faded(level(samples, CUE_DBFS));
}

function addNote(samples: Float64Array, { hz, fromMs, forMs }: { hz: number; fromMs: number; forMs: number }): void {
  const from = (fromMs * SAMPLE_RATE) / 1_000;
  const count = (forMs * SAMPLE_RATE) / 1_000;
  for (let i = 0; i < count; i++) {
    const swell = Math.sin((Math.PI * i) / count) ** 0.5;
    samples[from + i] = (samples[from + i] as number) + swell * Math.sin((2 * Math.PI * hz * i) / SAMPLE_RATE);
  }
}

/** Without the quiet at both ends: a clip is heard from its first frame on. */
function trimmed(samples: Int16Array): Float64Array {
  const least = 0.04 * samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const loud = (sample: number) => Math.abs(sample) > least;
  return Float64Array.from(samples.subarray(samples.findIndex(loud), samples.findLastIndex(loud) + 1));
}

/** The same sound so loud, but no louder than its peak may be. */
function level(samples: Float64Array, dbfs: number): Float64Array {
  const rms = Math.sqrt(samples.reduce((sum, sample) => sum + sample ** 2, 0) / samples.length);
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const gain = Math.min(amplitude(dbfs) / rms, amplitude(PEAK_DBFS) / peak);
  return samples.map((sample) => sample * gain);
}

function amplitude(dbfs: number): number {
  return 32_768 * 10 ** (dbfs / 20);
}

/** Begins and ends at nothing, so that neither clicks. */
function faded(samples: Float64Array): Int16Array {
  return Int16Array.from(samples, (sample, i) => {
    const edge = Math.min(1, i / FADE, (samples.length - 1 - i) / FADE);
    return Math.round(sample * Math.sin((Math.PI / 2) * edge) ** 2);
  });
}
