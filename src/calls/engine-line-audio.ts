import { decodedBytes } from "../audio/base64.ts";
import { mulawMs } from "../audio/g711.ts";
import { SoundRing } from "../audio/sound-ring.ts";

/** Kept always: what a turn detector needs of the time before speech, and what was on its way to a lost session. */
const KEEP_MS = 1_000;
/** Kept at most: older sound of a caller is given up. */
const KEEP_AT_MOST_MS = 10_000;
/** Frames that there is room for at first, a little more than are always kept; a power of two, as every size of it. */
const FIRST_ROOM = 64;

/**
 * The caller's latest sound, so that a new session can hear what an old one did not answer. Its memory is used again and
 * again: fifty frames a second of every call, kept for a second, would each outlive a collection of young memory, and
 * have the old collected every second.
 */
export class CallerAudio {
  /** The frames as they came, base64 in ASCII bytes. */
  readonly #ring = new SoundRing();
  /** Of each kept frame, where it begins there and when it ends. */
  #places = new Float64Array(FIRST_ROOM);
  #endsMs = new Float64Array(FIRST_ROOM);
  #first = 0;
  #count = 0;
  #totalMs = 0;
  #keepFromMs = Number.POSITIVE_INFINITY;

  /** Milliseconds of sound since the call's first frame. */
  get totalMs(): number {
    return this.#totalMs;
  }

  /** Takes a frame, base64 in ASCII bytes; the view may be reused afterwards. */
  add(base64: Uint8Array): void {
    this.#totalMs += mulawMs(decodedBytes(base64));
    const wantedMs = Math.min(this.#keepFromMs, this.#totalMs - KEEP_MS);
    const fromMs = Math.max(wantedMs, this.#totalMs - KEEP_AT_MOST_MS);
    while (this.#count > 0 && (this.#endsMs[this.#at(0)] as number) <= fromMs) {
      this.#first = this.#at(1);
      this.#count -= 1;
    }
    if (this.#count === this.#places.length) this.#grow();
    const at = this.#at(this.#count);
    this.#places[at] = this.#ring.end;
    this.#endsMs[at] = this.#totalMs;
    this.#count += 1;
    this.#ring.write(base64, this.#places[this.#first] as number);
  }

  /** Keeps what comes from `fromMs` on, within the limit. Without a time, only the least. */
  keepFrom(fromMs: number | undefined): void {
    this.#keepFromMs = fromMs ?? Number.POSITIVE_INFINITY;
  }

  /** The kept frames from `fromMs` on, and where the first of them begins. They are valid until the next is added. */
  since(fromMs: number): { readonly startMs: number; readonly frames: readonly Buffer[] } {
    const frames: Buffer[] = [];
    let startMs = this.#totalMs;
    let end = this.#ring.end;
    for (let i = this.#count - 1; i >= 0; i--) {
      const at = this.#at(i);
      if ((this.#endsMs[at] as number) <= fromMs) break;
      const place = this.#places[at] as number;
      const { buffer, byteOffset, length } = this.#ring.read(place, end);
      const frame = Buffer.from(buffer, byteOffset, length);
      frames.unshift(frame);
      startMs -= mulawMs(decodedBytes(frame));
      end = place;
    }
    return { startMs, frames };
  }

  /** Where the `i`th kept frame stands. */
  #at(i: number): number {
    return (this.#first + i) & (this.#places.length - 1);
  }

  #grow(): void {
    const order = Array.from({ length: this.#count }, (_, i) => this.#at(i));
    const grown = (of: Float64Array) => {
      const more = new Float64Array(2 * order.length);
      more.set(order.map((at) => of[at] as number));
      return more;
    };
    [this.#places, this.#endsMs] = [grown(this.#places), grown(this.#endsMs)];
    this.#first = 0;
  }
}
