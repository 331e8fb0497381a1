import { dtmfSequence, type KeyTiming, keysLeft } from "../audio/dtmf.ts";
import type { ItemPlayout } from "./playout.ts";

interface Sequence {
  readonly digits: string;
  readonly timing: KeyTiming;
}

/**
 * The keys that we press on a call. Words give way to whoever speaks; keys do not, for menus speak while they are
 * pressed: what was cut of a sequence sounds again, but for keys that were already recognised.
 */
export class KeyTones {
  readonly #play: (audio: Uint8Array) => string;
  /** What sounds or waits to, by item. */
  readonly #sequences = new Map<string, Sequence>();

  /** `play` sounds audio behind what is there, and gives the item that it became. */
  constructor(play: (audio: Uint8Array) => string) {
    this.#play = play;
  }

  /** Presses keys. @throws RangeError there are no such keys, or not for so long */
  send(digits: string, timing: KeyTiming = {}): void {
    this.#sequences.set(this.#play(dtmfSequence(digits, timing)), { digits, timing });
  }

  /** Whether an item is keys, not words. */
  has(itemId: string): boolean {
    return this.#sequences.has(itemId);
  }

  /** An item has played out, or was cut while the call goes on. */
  over({ itemId, heardMs }: Pick<ItemPlayout, "itemId" | "heardMs">): void {
    const sequence = this.#sequences.get(itemId);
    if (!sequence) return;
    this.#sequences.delete(itemId);
    const left = keysLeft(sequence.digits, heardMs, sequence.timing);
    if (left !== "") this.send(left, sequence.timing);
  }
}
