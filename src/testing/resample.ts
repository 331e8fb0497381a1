/** Zero crossings of the low-pass kernel on each side of its centre: about 70 dB of stop-band. */
const CROSSINGS = 24;
/** Where the pass band ends, as a share of the lower rate's Nyquist frequency. */
const PASS = 0.92;

/** Changes the sample rate of a stream of 16-bit audio, chunk by chunk, without clicks at the seams. */
export interface Resampler {
  /** Takes the next chunk; returns what can be said so far, a few milliseconds behind. */
  push(chunk: Int16Array): Int16Array;
  /** Returns the rest, as if silence followed. The resampler is spent afterwards. */
  flush(): Int16Array;
}

/** Makes a band-limited resampler (windowed sinc, polyphase); equal rates pass through untouched. */
export function resampler(fromHz: number, toHz: number): Resampler {
  if (fromHz === toHz) return { push: (chunk) => chunk, flush: () => new Int16Array(0) };
  const divisor = gcd(fromHz, toHz);
  const up = toHz / divisor;
  const down = fromHz / divisor;
  const reach = Math.ceil(CROSSINGS * Math.max(1, down / up));
  const kernels = Array.from({ length: up }, (_, phase) => kernel(phase / up, reach, Math.min(1, up / down) * PASS));
  let held = new Int16Array(reach); // silence before the first sample
  let firstIndex = -reach; // input position of held[0]
  let produced = 0;
  let received = 0;

  const run = (limit: number): Int16Array => {
    const count = Math.max(0, limit - produced);
    const out = new Int16Array(count);
    for (let i = 0; i < count; i++, produced++) {
      const position = produced * down;
      const start = Math.floor(position / up) - reach - firstIndex;
      const taps = kernels[position % up] as Float64Array;
      let sum = 0;
      for (let k = 0; k < taps.length; k++) sum += (taps[k] as number) * (held[start + k] ?? 0);
      out[i] = Math.max(-32_768, Math.min(32_767, Math.round(sum)));
    }
    return out;
  };

  return {
    push(chunk) {
      const spent = Math.max(0, Math.min(held.length, Math.floor((produced * down) / up) - reach - firstIndex));
      const next = new Int16Array(held.length - spent + chunk.length);
      next.set(held.subarray(spent));
      next.set(chunk, held.length - spent);
      held = next;
      firstIndex += spent;
      received += chunk.length;
      return run(Math.ceil(((received - reach - 1) * up) / down));
    },
    flush: () => run(Math.ceil((received * up) / down)),
  };
}

/** Changes the sample rate of a whole clip; its length in time stays. */
export function resample(samples: Int16Array, fromHz: number, toHz: number): Int16Array {
  if (fromHz === toHz) return samples;
  const stream = resampler(fromHz, toHz);
  const body = stream.push(samples);
  const rest = stream.flush();
  const out = new Int16Array(body.length + rest.length);
  out.set(body);
  out.set(rest, body.length);
  return out;
}

// --- Internal helpers ---

/** One phase of a Blackman-windowed sinc; `offset` is the fraction of an input sample past the centre tap. */
function kernel(offset: number, reach: number, cutoff: number): Float64Array {
  const taps = Float64Array.from({ length: 2 * reach + 1 }, (_, index) => {
    const x = index - reach - offset;
    const angle = (Math.PI * x) / (reach + 1);
    const window = 0.42 + 0.5 * Math.cos(angle) + 0.08 * Math.cos(2 * angle);
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
    return cutoff * sinc * window;
  });
  const gain = taps.reduce((sum, tap) => sum + tap, 0);
  return taps.map((tap) => tap / gain);
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
