import { decodeMulaw, FRAME_BYTES, FRAME_MS, linearToMulaw, MULAW_SILENCE, mulawMs } from "./g711.ts";
import { SoundRing } from "./sound-ring.ts";

/** A piece of one item that is to be sent now. */
export interface Piece {
  readonly itemId: string;
  /** µ-law in whole 20 ms frames, the last of an item padded to one; valid until more is pushed. */
  readonly audio: Uint8Array;
  /** When its first sample plays, on the clock that `take` was given. */
  readonly startsAtMs: number;
}

/** How far ahead of playback to send, and in which portions. */
export interface Pacing {
  /** Milliseconds of audio that may lie unplayed at the carrier at most: a piece waits until it fits in. */
  readonly leadMs: number;
  /** Milliseconds of one piece; a multiple of 20. */
  readonly pieceMs: number;
}

const DEFAULT_PACING: Pacing = { leadMs: 350, pieceMs: 100 };
/** Sound that goes on where it was paused rises for so many samples (5 ms), or it would click. */
const RISE_SAMPLES = 40;

/** Sound that stands at one place, in bytes. */
interface Stretch {
  from: number;
  to: number;
}

interface Queued {
  readonly itemId: string;
  /** What waits, oldest first. */
  stretches: Stretch[];
  bytes: number;
  /** Whether the engine has said that no more comes. */
  complete: boolean;
}

/** What was handed out and plays without a gap. */
interface Out {
  readonly itemId: string;
  readonly stretches: readonly Stretch[];
  startsAtMs: number;
  endsAtMs: number;
}

/**
 * Hands out agent audio at the pace at which it plays, in whole frames, so that at most `leadMs` lie at the carrier:
 * a barge-in then leaves little to throw away, and what was heard is known to within the lead even without marks.
 * Pure: whoever owns it calls `take` on a tick and sends what comes back.
 */
export class Pacer {
  readonly #leadMs: number;
  readonly #pieceBytes: number;
  readonly #sound = new SoundRing();
  #queue: Queued[] = [];
  /** What was handed out and may not have played yet, in order. */
  #out: Out[] = [];
  #playsUntilMs = 0;
  #held = false;
  /** Whether what is handed out next goes on after a pause. */
  #goesOn = false;

  constructor({ leadMs, pieceMs }: Pacing = DEFAULT_PACING) {
    this.#leadMs = leadMs;
    this.#pieceBytes = Math.round(pieceMs * 8);
  }

  /** Whether anything waits that could be sent. */
  get waiting(): boolean {
    const last = this.#queue.length - 1;
    for (let i = 0; i <= last; i++) {
      const { bytes, complete } = this.#queue[i] as Queued;
      if (bytes >= FRAME_BYTES || (bytes > 0 && (complete || i < last))) return true;
    }
    return false;
  }

  /** When what was handed out has played, on the clock of `take`; in the past when nothing plays. */
  get playsUntilMs(): number {
    return this.#playsUntilMs;
  }

  /** Adds a copy of audio of an item behind what waits of it; a new item goes behind all others. */
  push(itemId: string, audio: Uint8Array): void {
    let item = this.#queue.find((queued) => queued.itemId === itemId);
    if (!item) {
      item = { itemId, stretches: [], bytes: 0, complete: false };
      this.#queue.push(item);
    }
    const from = this.#sound.end;
    this.#sound.write(audio, this.#neededFrom());
    const last = item.stretches.at(-1);
    if (last?.to === from) last.to += audio.length;
    else item.stretches.push({ from, to: from + audio.length });
    item.bytes += audio.length;
  }

  /** Notes that an item is complete: its rest goes out although it fills no whole piece. */
  finish(itemId: string): void {
    const item = this.#queue.findLast((queued) => queued.itemId === itemId);
    if (item) item.complete = true;
  }

  /** Whether playback is paused. */
  get held(): boolean {
    return this.#held;
  }

  /** The pieces that are due at `nowMs`. */
  take(nowMs: number): readonly Piece[] {
    if (this.#held || this.#queue.length === 0) return NOTHING;
    this.#forget(nowMs);
    const due: Piece[] = [];
    for (let item = this.#queue[0]; item; item = this.#queue[0]) {
      if (item.bytes === 0) {
        // The item that is being produced stays until it is complete or another one follows.
        if (!item.complete && this.#queue.length === 1) break;
        this.#queue.shift();
        continue;
      }
      if (Math.max(0, this.#playsUntilMs - nowMs) + mulawMs(this.#pieceBytes) > this.#leadMs) break;
      const stretches = this.#cut(item);
      if (!stretches) break;
      const whole = this.#read(stretches);
      const audio = this.#goesOn ? rising(whole) : whole;
      this.#goesOn = false;
      const startsAtMs = Math.max(nowMs, this.#playsUntilMs);
      this.#playsUntilMs = startsAtMs + mulawMs(audio.length);
      due.push({ itemId: item.itemId, audio, startsAtMs });
      this.#gaveOut(item.itemId, stretches, startsAtMs);
    }
    return due;
  }

  /**
   * Pauses playback, which stopped at `nowMs`: what was handed out and had not begun to play then waits again. Whoever
   * calls it has the carrier drop the same. A frame that had begun counts as played.
   *
   * Nothing is sent to soften the cut: a tail that fades out would have to go on with the very sample at which the
   * carrier stopped, and where that is we know to a frame at best. Over speech, 42 % of bare cuts make a step 3 dB
   * above the sound's own, 1 % with a tail that fits, but 52 % with one that is a frame early or late, and higher.
   */
  hold(nowMs: number): void {
    if (this.#held) return;
    this.#held = true;
    for (const { itemId, stretches, startsAtMs } of this.#out.reverse()) {
      const [, rest] = split(stretches, playedFrames(startsAtMs, nowMs) * FRAME_BYTES);
      if (rest.length > 0) this.#putBack(itemId, rest);
    }
    this.#out = [];
    this.#playsUntilMs = Math.min(this.#playsUntilMs, nowMs);
  }

  /** Lets playback go on where it was paused. */
  release(): void {
    this.#goesOn ||= this.#held;
    this.#held = false;
  }

  /** Throws away all that waits, and takes note that playback stopped at `nowMs`. */
  clear(nowMs: number): void {
    this.#queue = [];
    this.#out = [];
    this.#held = false;
    this.#goesOn = false;
    this.#playsUntilMs = Math.min(this.#playsUntilMs, nowMs);
  }

  /** Remembers what was handed out: what follows the sound before it as part of that, so that little is kept. */
  #gaveOut(itemId: string, stretches: readonly Stretch[], startsAtMs: number): void {
    const last = this.#out.at(-1);
    const before = last?.stretches.at(-1);
    const [first] = stretches;
    const goesOn = last?.itemId === itemId && last.endsAtMs === startsAtMs && before?.to === first?.from;
    if (last && before && first && goesOn && last.stretches.length === 1 && stretches.length === 1) {
      before.to = first.to;
      last.endsAtMs = this.#playsUntilMs;
    } else this.#out.push({ itemId, stretches, startsAtMs, endsAtMs: this.#playsUntilMs });
  }

  /** Forgets what has played: its memory is used again. */
  #forget(nowMs: number): void {
    while (this.#out[0] && this.#out[0].endsAtMs <= nowMs) this.#out.shift();
    const [first] = this.#out;
    if (!first) return;
    const frames = playedFrames(first.startsAtMs, nowMs);
    const [stretch] = first.stretches;
    // The last frames of a stretch stay with it: the next one may begin within a frame.
    if (!stretch || stretch.to - stretch.from <= (frames + 1) * FRAME_BYTES) return;
    stretch.from += frames * FRAME_BYTES;
    first.startsAtMs += frames * FRAME_MS;
  }

  #putBack(itemId: string, stretches: Stretch[]): void {
    let first = this.#queue[0];
    if (first?.itemId !== itemId) {
      // Its end, if it has one, was told while it lay here; what is put back before another item is complete anyway.
      first = { itemId, stretches: [], bytes: 0, complete: true };
      this.#queue.unshift(first);
    }
    first.stretches.unshift(...stretches);
    first.bytes += bytesOf(stretches);
  }

  /** One piece, or what whole frames there are, or the rest of a complete item. */
  #cut(item: Queued): readonly Stretch[] | undefined {
    const ended = item.complete || this.#queue.length > 1;
    const most = Math.min(item.bytes, this.#pieceBytes);
    const whole = most - (most % FRAME_BYTES);
    if (whole === 0 && !ended) return undefined;
    const take = whole === 0 ? item.bytes : whole;
    item.bytes -= take;
    const [taken, rest] = split(item.stretches, take);
    item.stretches = rest;
    return taken;
  }

  /** Sound in whole frames, padded with silence. */
  #read(stretches: readonly Stretch[]): Uint8Array {
    const [first] = stretches as readonly [Stretch];
    const count = bytesOf(stretches);
    if (stretches.length === 1 && count % FRAME_BYTES === 0) return this.#sound.read(first.from, first.to);
    const sound = new Uint8Array(Math.ceil(count / FRAME_BYTES) * FRAME_BYTES).fill(MULAW_SILENCE);
    let at = 0;
    for (const { from, to } of stretches) {
      sound.set(this.#sound.read(from, to), at);
      at += to - from;
    }
    return sound;
  }

  /** Where the oldest sound stands that waits or may have to wait again. */
  #neededFrom(): number {
    let needed = this.#sound.end;
    for (const { stretches } of this.#out) for (const { from } of stretches) needed = Math.min(needed, from);
    for (const { stretches } of this.#queue) for (const { from } of stretches) needed = Math.min(needed, from);
    return needed;
  }
}

// --- Internal helpers ---

const NOTHING: readonly Piece[] = [];

/** How many frames of a piece have begun to play at `nowMs`. */
export function playedFrames(startsAtMs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((nowMs - startsAtMs) / FRAME_MS));
}

function rising(audio: Uint8Array): Uint8Array {
  const risen = Uint8Array.from(audio);
  decodeMulaw(audio.subarray(0, RISE_SAMPLES)).forEach((sample, i) => {
    risen[i] = linearToMulaw(Math.round((sample * i) / RISE_SAMPLES));
  });
  return risen;
}

function bytesOf(stretches: readonly Stretch[]): number {
  let sum = 0;
  for (const { from, to } of stretches) sum += to - from;
  return sum;
}

/** The first `count` bytes, and what comes behind them. */
function split(stretches: readonly Stretch[], count: number): [first: Stretch[], rest: Stretch[]] {
  const first: Stretch[] = [];
  const rest: Stretch[] = [];
  let left = count;
  for (const { from, to } of stretches) {
    const at = Math.min(to, from + left);
    left -= at - from;
    if (from < at) first.push({ from, to: at });
    if (at < to) rest.push({ from: at, to });
  }
  return [first, rest];
}
