import { linearToMulaw, SAMPLE_RATE } from "../../src/audio/g711.ts";
import type { Random } from "./random.ts";

/** Sound at 8 kHz; full scale is 1. */
export type Wave = Float32Array;

export const samplesOf = (ms: number): number => Math.round((ms * SAMPLE_RATE) / 1_000);

/** Makes a wave sample by sample; `t` is in seconds. */
export function wave(ms: number, at: (t: number, index: number) => number): Wave {
  const out = new Float32Array(samplesOf(ms));
  for (let i = 0; i < out.length; i++) out[i] = at(i / SAMPLE_RATE, i);
  return out;
}

export const silence = (ms: number): Wave => new Float32Array(samplesOf(ms));

export const noise = (ms: number, random: Random): Wave => wave(ms, () => random.unit() * 2 - 1);

/** Adds `part` to `whole` from `atMs` on; what does not fit is left out. */
export function add(whole: Wave, part: Wave, atMs = 0, gain = 1): Wave {
  const start = samplesOf(atMs);
  for (let i = Math.max(0, -start); i < part.length && start + i < whole.length; i++) {
    whole[start + i] = (whole[start + i] as number) + (part[i] as number) * gain;
  }
  return whole;
}

/** Root mean square of what sounds: 20 ms windows within 30 dB of the loudest one; a shorter sound as a whole. */
export function loudnessDbfs(sound: Wave): number {
  const window = Math.min(samplesOf(20), sound.length);
  const powers: number[] = [];
  for (let at = 0; window > 0 && at + window <= sound.length; at += window) {
    let sum = 0;
    for (let i = at; i < at + window; i++) sum += (sound[i] as number) ** 2;
    powers.push(sum / window);
  }
  const most = Math.max(1e-12, ...powers);
  const loud = powers.filter((power) => power > most / 1_000);
  return 10 * Math.log10(loud.reduce((sum, power) => sum + power, 1e-12) / Math.max(1, loud.length));
}

/** The same sound at that loudness, unless it would clip. */
export function atLevel(sound: Wave, dbfs: number): Wave {
  const gain = 10 ** ((dbfs - loudnessDbfs(sound)) / 20);
  const out = new Float32Array(sound.length);
  for (let i = 0; i < out.length; i++) out[i] = Math.max(-0.98, Math.min(0.98, (sound[i] as number) * gain));
  return out;
}

export type Filter = (x: number) => number;

/** Second-order filters by R. Bristow-Johnson's Audio EQ Cookbook. */
export function filter(kind: "low" | "high" | "band", hz: number, q = Math.SQRT1_2): Filter {
  const w = (2 * Math.PI * hz) / SAMPLE_RATE;
  const alpha = Math.sin(w) / (2 * q);
  const cos = Math.cos(w);
  const [b0, b1] = { low: [(1 - cos) / 2, 1 - cos], high: [(1 + cos) / 2, -1 - cos], band: [alpha, 0] }[kind] as [
    number,
    number,
  ];
  const b2 = kind === "band" ? -alpha : b0;
  const a0 = 1 + alpha;
  let x1 = 0;
  let x2 = 0;
  let y1 = 0;
  let y2 = 0;
  return (x) => {
    const y = (b0 * x + b1 * x1 + b2 * x2 + 2 * cos * y1 - (1 - alpha) * y2) / a0;
    x2 = x1;
    x1 = x;
    y2 = y1;
    y1 = y;
    return y;
  };
}

/** Passes a sound through filters, one after the other. */
export function through(sound: Wave, ...filters: readonly Filter[]): Wave {
  const out = Float32Array.from(sound);
  for (const pass of filters) for (let i = 0; i < out.length; i++) out[i] = pass(out[i] as number);
  return out;
}

/** Rises and falls linearly at the ends. */
export function faded(sound: Wave, inMs: number, outMs: number): Wave {
  const [rise, fall] = [samplesOf(inMs), samplesOf(outMs)];
  return sound.map((x, i) => x * Math.min(1, i / Math.max(1, rise), (sound.length - i) / Math.max(1, fall)));
}

/** What vocal cords give to the mouth: pulses at a pitch that may move, as a wave falling by about 12 dB an octave. */
export function cords(ms: number, pitchHz: (t: number) => number, random: Random): Wave {
  let phase = 0;
  const soften = filter("low", 600, 0.6);
  return wave(ms, (t) => {
    phase += (pitchHz(t) * (1 + 0.01 * (random.unit() - 0.5))) / SAMPLE_RATE;
    const pulse = phase >= 1 ? 1 : 0;
    phase -= pulse;
    return soften(pulse * 8 + 0.02 * (random.unit() - 0.5));
  });
}

/** Gives a source the colour of a vowel: resonances in parallel. */
export function vowel(source: Wave, formantsHz: readonly number[]): Wave {
  const out = new Float32Array(source.length);
  formantsHz.forEach((hz, index) => {
    add(out, through(source, filter("band", hz, 5)), 0, 1 / (1 + index));
  });
  return out;
}

/** As it travels on the line. */
export function toMulaw(sound: Wave): Buffer {
  const bytes = Buffer.alloc(sound.length);
  for (let i = 0; i < sound.length; i++) bytes[i] = linearToMulaw(Math.round((sound[i] as number) * 32_767));
  return bytes;
}
