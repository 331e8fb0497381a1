import { mulawMs } from "../audio/g711.ts";

/** Kept always: what a turn detector needs of the time before speech, and what was on its way to a lost session. */
const KEEP_MS = 1_000;
/** Kept at most: older sound of a caller is given up. */
const KEEP_AT_MOST_MS = 10_000;
const PADDING = 0x3d;

interface Frame {
  readonly base64: Buffer;
  readonly startMs: number;
  readonly endMs: number;
}

/** The caller's latest sound, so that a new session can hear what an old one did not answer. */
export class CallerAudio {
  #frames: Frame[] = [];
  #totalMs = 0;
  #keepFromMs = Number.POSITIVE_INFINITY;

  /** Milliseconds of sound since the call's first frame. */
  get totalMs(): number {
    return this.#totalMs;
  }

  /** Takes a frame, base64 in ASCII bytes; the view may be reused afterwards. */
  add(base64: Buffer): void {
    const startMs = this.#totalMs;
    this.#totalMs += durationMs(base64);
    this.#frames.push({ base64: Buffer.from(base64), startMs, endMs: this.#totalMs });
    const wantedMs = Math.min(this.#keepFromMs, this.#totalMs - KEEP_MS);
    const fromMs = Math.max(wantedMs, this.#totalMs - KEEP_AT_MOST_MS);
    while ((this.#frames[0] as Frame).endMs <= fromMs) this.#frames.shift();
  }

  /** Keeps what comes from `fromMs` on, within the limit. Without a time, only the least. */
  keepFrom(fromMs: number | undefined): void {
    this.#keepFromMs = fromMs ?? Number.POSITIVE_INFINITY;
  }

  /** The kept frames from `fromMs` on, and where the first of them begins. */
  since(fromMs: number): { readonly startMs: number; readonly frames: readonly Buffer[] } {
    const kept = this.#frames.filter(({ endMs }) => endMs > fromMs);
    return { startMs: kept[0]?.startMs ?? this.#totalMs, frames: kept.map(({ base64 }) => base64) };
  }
}

// --- Internal helpers ---

function durationMs(base64: Buffer): number {
  const { length } = base64;
  const padding = base64[length - 2] === PADDING ? 2 : base64[length - 1] === PADDING ? 1 : 0;
  return mulawMs((length / 4) * 3 - padding);
}
