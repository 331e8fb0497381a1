/** Samples a second on every telephone leg. */
export const SAMPLE_RATE = 8_000;
/** Bytes of µ-law in one 20 ms frame, the unit in which telephone audio travels. */
export const FRAME_BYTES = 160;
/** Milliseconds of one frame. */
export const FRAME_MS = 20;
/** µ-law silence (the byte for a sample of 0). */
export const MULAW_SILENCE = 0xff;

const BIAS = 0x84;
const CLIP = 32_635;

/** µ-law byte -> 16-bit linear sample (ITU-T G.711 table 2a). */
export const MULAW_TO_LINEAR: Int16Array = Int16Array.from({ length: 256 }, (_, byte) => {
  const inverted = ~byte & 0xff;
  const magnitude = (((inverted & 0x0f) << 3) + BIAS) << ((inverted & 0x70) >> 4);
  return inverted & 0x80 ? BIAS - magnitude : magnitude - BIAS;
});

/** 16-bit linear sample -> µ-law byte (ITU-T G.711, with the customary bias and clip). */
export function linearToMulaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), CLIP) + BIAS;
  const exponent = 31 - Math.clz32(magnitude) - 7;
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

/** Decodes µ-law bytes into 16-bit samples. */
export function decodeMulaw(bytes: Uint8Array): Int16Array {
  const samples = new Int16Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) samples[i] = MULAW_TO_LINEAR[bytes[i] as number] as number;
  return samples;
}

/** Encodes 16-bit samples as µ-law bytes. */
export function encodeMulaw(samples: Int16Array): Uint8Array {
  const bytes = new Uint8Array(samples.length);
  for (let i = 0; i < samples.length; i++) bytes[i] = linearToMulaw(samples[i] as number);
  return bytes;
}

/** Milliseconds of audio in `byteCount` µ-law bytes. */
export const mulawMs = (byteCount: number): number => (byteCount * 1000) / SAMPLE_RATE;

/** Squares of samples by their byte: whole numbers, of which sums of any length are exact. */
const SQUARES: Float64Array = Float64Array.from(MULAW_TO_LINEAR, (sample) => sample ** 2);

/** The sum of the squared samples of µ-law bytes, or of those `from` … `until` of them. Exact. */
export function energyOf(bytes: Uint8Array, from = 0, until: number = bytes.length): number {
  // Four sums at once: each addition need not wait for the one before it.
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = from;
  for (; i + 3 < until; i += 4) {
    a += SQUARES[bytes[i] as number] as number;
    b += SQUARES[bytes[i + 1] as number] as number;
    c += SQUARES[bytes[i + 2] as number] as number;
    d += SQUARES[bytes[i + 3] as number] as number;
  }
  for (; i < until; i++) a += SQUARES[bytes[i] as number] as number;
  return a + b + c + d;
}

/** The mean square of samples at a level, RMS relative to full scale. */
export const powerOf = (dbfs: number): number => 10 ** (dbfs / 10) * 32_768 ** 2;

/** The quietest that counts as sound. */
const AUDIBLE_DBFS = -45;
const AUDIBLE = powerOf(AUDIBLE_DBFS);

/** Whether µ-law bytes, or those `from` … `until` of them, are louder than `thresholdDbfs` (RMS relative to full scale). */
export function isAudible(
  bytes: Uint8Array,
  thresholdDbfs = AUDIBLE_DBFS,
  from = 0,
  until: number = bytes.length,
): boolean {
  const end = Math.min(until, bytes.length);
  const threshold = thresholdDbfs === AUDIBLE_DBFS ? AUDIBLE : powerOf(thresholdDbfs);
  return end > from && energyOf(bytes, from, end) > threshold * (end - from);
}
