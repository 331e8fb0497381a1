import { FRAME_MS, mulawMs } from "../audio/g711.ts";
import { type Piece, playedFrames } from "../audio/pacer.ts";

/** How much of one item has been produced and heard, in milliseconds. */
export interface ItemPlayout {
  readonly itemId: string;
  readonly producedMs: number;
  readonly heardMs: number;
  /** When its first sample played; absent when nothing of it did. */
  readonly startedAtMs?: number;
}

interface Tracked {
  readonly itemId: string;
  producedMs: number;
  complete: boolean;
  pieces: { startsAtMs: number; durationMs: number }[];
  /** Of pieces that have long played and are not kept. */
  pastMs: number;
  /** Of all pieces, and when the last of them ends: most questions need no more. */
  sentMs: number;
  endsAtMs: number;
  startedAtMs: number | undefined;
}

const NONE: readonly ItemPlayout[] = [];
/** How late it may still turn out that playback lags. */
const SURE_AFTER_MS = 10_000;

/**
 * What the caller has really heard of each item: pieces by the clock of their playback. Produced, sent and heard are
 * three different numbers; only the last is true for the conversation.
 */
export class Playout {
  readonly #items = new Map<string, Tracked>();

  /** Audio of an item came from the engine. */
  produced(itemId: string, byteCount: number): void {
    this.#item(itemId).producedMs += mulawMs(byteCount);
  }

  /** No more of an item will come. */
  complete(itemId: string): void {
    this.#item(itemId).complete = true;
  }

  /** No more of any item will come. Says of which it was to come. */
  completeAll(): string[] {
    const open = [...this.#items.values()].filter(({ complete }) => !complete);
    for (const item of open) item.complete = true;
    return open.map(({ itemId }) => itemId);
  }

  /** The item that plays last of those that have not played out. */
  get lastItemId(): string | undefined {
    return [...this.#items.keys()].at(-1);
  }

  /** Whether more of an item is to come. */
  get producing(): boolean {
    for (const { complete } of this.#items.values()) if (!complete) return true;
    return false;
  }

  /** Pieces were handed to the carrier. */
  sent(pieces: readonly Piece[]): void {
    for (const { itemId, audio, startsAtMs } of pieces) {
      const item = this.#item(itemId);
      const durationMs = mulawMs(audio.length);
      item.startedAtMs ??= startsAtMs;
      forget(item, startsAtMs);
      const last = item.pieces.at(-1);
      // What follows without a gap is one piece with it: few long ones cost less than many short ones.
      if (last && startsAtMs === item.endsAtMs) last.durationMs += durationMs;
      else item.pieces.push({ startsAtMs, durationMs });
      item.sentMs += durationMs;
      item.endsAtMs = startsAtMs + durationMs;
    }
  }

  /** Whether there is sound of such items that has not played at `nowMs`; of one that is stalled all may have. */
  some(which: (itemId: string) => boolean, nowMs: number): boolean {
    for (const item of this.#items.values()) {
      if (leftMs(item, nowMs) >= FRAME_MS && which(item.itemId)) return true;
    }
    return false;
  }

  /** Playback was paused at `nowMs`: what had not begun to play is handed out again, in new pieces. */
  paused(nowMs: number): void {
    for (const item of this.#items.values()) {
      for (const piece of item.pieces) {
        piece.durationMs = Math.min(piece.durationMs, playedFrames(piece.startsAtMs, nowMs) * FRAME_MS);
      }
      item.pieces = item.pieces.filter(({ durationMs }) => durationMs > 0);
      item.sentMs = item.pieces.reduce((sum, { durationMs }) => sum + durationMs, item.pastMs);
      const last = item.pieces.at(-1);
      item.endsAtMs = last ? last.startsAtMs + last.durationMs : 0;
      if (item.pieces.length === 0 && item.pastMs === 0) item.startedAtMs = undefined;
    }
  }

  /** Takes out the items that have played out at `nowMs`. */
  takeFinished(nowMs: number): readonly ItemPlayout[] {
    if (this.#items.size === 0) return NONE;
    const done: ItemPlayout[] = [];
    for (const item of this.#items.values()) {
      if (!item.complete || leftMs(item, nowMs) > 0) continue;
      this.#items.delete(item.itemId);
      done.push(view(item, nowMs));
    }
    return done;
  }

  /** Takes out all items, as they were when playback stopped at `nowMs`. */
  takeAll(nowMs: number): ItemPlayout[] {
    const all = [...this.#items.values()].map((item) => view(item, nowMs));
    this.#items.clear();
    return all;
  }

  #item(itemId: string): Tracked {
    let item = this.#items.get(itemId);
    if (!item) {
      item = {
        itemId,
        producedMs: 0,
        complete: false,
        pieces: [],
        pastMs: 0,
        sentMs: 0,
        endsAtMs: 0,
        startedAtMs: undefined,
      };
      this.#items.set(itemId, item);
    }
    return item;
  }
}

// --- Internal helpers ---

/** Milliseconds played at `nowMs`, never more than were produced: the last frame is padded. */
function heardMs(item: Tracked, nowMs: number): number {
  let heard = item.pastMs;
  for (const { startsAtMs, durationMs } of item.pieces) heard += Math.min(Math.max(nowMs - startsAtMs, 0), durationMs);
  return Math.min(heard, item.producedMs);
}

/** Milliseconds of what was produced that have not played at `nowMs`. */
function leftMs({ producedMs, sentMs, endsAtMs }: Tracked, nowMs: number): number {
  const paddingMs = Math.max(0, sentMs - producedMs);
  return Math.max(0, producedMs - sentMs) + Math.max(0, endsAtMs - paddingMs - nowMs);
}

/** Adds up what has surely played: a long answer has many pieces, and each beat looks at them. */
function forget(item: Tracked, nowMs: number): void {
  for (let piece = item.pieces[0]; piece; piece = item.pieces[0]) {
    if (piece.startsAtMs + piece.durationMs > nowMs - SURE_AFTER_MS) return;
    item.pastMs += piece.durationMs;
    item.pieces.shift();
  }
}

function view(item: Tracked, nowMs: number): ItemPlayout {
  const { startedAtMs } = item;
  const heard = heardMs(item, nowMs);
  return {
    itemId: item.itemId,
    producedMs: Math.round(item.producedMs),
    heardMs: Math.round(heard),
    ...(startedAtMs !== undefined && startedAtMs <= nowMs && { startedAtMs }),
  };
}
