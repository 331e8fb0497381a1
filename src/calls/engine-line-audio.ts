import { mulawMs } from "../audio/g711.ts";

/** Kept always: what a turn detector needs of the time before speech, and what was on its way to a lost session. */
const KEEP_MS = 1_000;
/** Kept at most: older sound of a caller is given up. */
const KEEP_AT_MOST_MS = 10_000;
const PADDING = 0x3d;
/** Bytes of 20 ms of µ-law in base64. */
const USUAL_LENGTH = 216;
/** Frames that there is room for at first, a little more than are always kept; a power of two, as every size of it. */
const FIRST_ROOM = 64;

/**
 * The caller's latest sound, so that a new session can hear what an old one did not answer. A ring whose memory is used
 * again and again: fifty frames a second of every call, kept for a second, would each outlive a collection of young
 * memory, and have the old collected every second.
 */
export class CallerAudio {
  #frames = room(FIRST_ROOM);
  #lengths = new Uint32Array(FIRST_ROOM);
  readonly #endsMs: number[] = Array.from({ length: FIRST_ROOM }, () => 0);
  #first = 0;
  #count = 0;
  #totalMs = 0;
  #keepFromMs = Number.POSITIVE_INFINITY;

  /** Milliseconds of sound since the call's first frame. */
  get totalMs(): number {
    return this.#totalMs;
  }

  /** Takes a frame, base64 in ASCII bytes; the view may be reused afterwards. */
  add(base64: Buffer): void {
    this.#totalMs += durationMs(base64);
    const wantedMs = Math.min(this.#keepFromMs, this.#totalMs - KEEP_MS);
    const fromMs = Math.max(wantedMs, this.#totalMs - KEEP_AT_MOST_MS);
    while (this.#count > 0 && (this.#endsMs[this.#at(0)] as number) <= fromMs) {
      this.#first = this.#at(1);
      this.#count -= 1;
    }
    if (this.#count === this.#frames.length) this.#grow();
    const at = this.#at(this.#count);
    if ((this.#frames[at] as Buffer).length < base64.length) this.#frames[at] = Buffer.alloc(base64.length);
    base64.copy(this.#frames[at] as Buffer);
    this.#lengths[at] = base64.length;
    this.#endsMs[at] = this.#totalMs;
    this.#count += 1;
  }

  /** Keeps what comes from `fromMs` on, within the limit. Without a time, only the least. */
  keepFrom(fromMs: number | undefined): void {
    this.#keepFromMs = fromMs ?? Number.POSITIVE_INFINITY;
  }

  /** The kept frames from `fromMs` on, and where the first of them begins. They are valid until the next is added. */
  since(fromMs: number): { readonly startMs: number; readonly frames: readonly Buffer[] } {
    const frames: Buffer[] = [];
    let startMs = this.#totalMs;
    for (let i = this.#count - 1; i >= 0; i--) {
      const at = this.#at(i);
      if ((this.#endsMs[at] as number) <= fromMs) break;
      const frame = (this.#frames[at] as Buffer).subarray(0, this.#lengths[at]);
      frames.unshift(frame);
      startMs -= durationMs(frame);
    }
    return { startMs, frames };
  }

  /** Where the `i`th kept frame lies. */
  #at(i: number): number {
    return (this.#first + i) & (this.#frames.length - 1);
  }

  #grow(): void {
    const old = Array.from({ length: this.#count }, (_, i) => this.#at(i));
    const lengths = old.map((at) => this.#lengths[at] as number);
    const ends = old.map((at) => this.#endsMs[at] as number);
    this.#frames = [...old.map((at) => this.#frames[at] as Buffer), ...room(this.#count)];
    this.#lengths = new Uint32Array(2 * this.#count);
    this.#lengths.set(lengths);
    for (let i = 0; i < 2 * ends.length; i++) this.#endsMs[i] = ends[i] ?? 0;
    this.#first = 0;
  }
}

// --- Internal helpers ---

/** Places for so many frames, in one stretch of memory. */
function room(count: number): Buffer[] {
  const all = Buffer.alloc(count * USUAL_LENGTH);
  return Array.from({ length: count }, (_, i) => all.subarray(i * USUAL_LENGTH, (i + 1) * USUAL_LENGTH));
}

function durationMs(base64: Buffer): number {
  const { length } = base64;
  const padding = base64[length - 2] === PADDING ? 2 : base64[length - 1] === PADDING ? 1 : 0;
  return mulawMs((length / 4) * 3 - padding);
}
