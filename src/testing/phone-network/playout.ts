import { FRAME_BYTES, MULAW_SILENCE } from "../../audio/g711.ts";

interface PendingMark {
  readonly name: string;
  /** Position, in bytes since the start, of the first byte that does not belong to the mark's audio. */
  readonly at: number;
}

/**
 * The buffer between what an application sends and the ear: audio of any length goes in, frames come out in the
 * order of arrival, and marks come due when everything queued before them has been played.
 */
export class Playout {
  readonly #queue: Uint8Array[] = [];
  /** Bytes of the first piece that have been played already. */
  #offset = 0;
  #queued = 0;
  #played = 0;
  #marks: PendingMark[] = [];

  /** Bytes waiting to be played. */
  get pendingBytes(): number {
    return this.#queued - this.#played;
  }

  /** Position of the next byte that will be queued; {@link hasPlayed} tells when it has been reached. */
  get end(): number {
    return this.#queued;
  }

  /** Queues µ-law audio of any length. */
  enqueue(audio: Uint8Array): void {
    if (audio.length === 0) return;
    this.#queue.push(audio);
    this.#queued += audio.length;
  }

  /** Queues a mark behind the audio queued so far. */
  mark(name: string): void {
    this.#marks.push({ name, at: this.#queued });
  }

  /** Drops what is waiting. Returns the names of all pending marks, in their order: each is owed an echo at once. */
  clear(): string[] {
    const names = this.#marks.map(({ name }) => name);
    this.#queue.length = 0;
    this.#offset = 0;
    this.#queued = this.#played;
    this.#marks = [];
    return names;
  }

  /** Takes the names of the marks whose audio has been played, in their order. */
  takeDueMarks(): string[] {
    const firstPending = this.#marks.findIndex(({ at }) => at > this.#played);
    return this.#marks.splice(0, firstPending < 0 ? this.#marks.length : firstPending).map(({ name }) => name);
  }

  /** Whether everything before `position` has been played or dropped. */
  hasPlayed(position: number): boolean {
    return this.#played >= position || this.pendingBytes === 0;
  }

  /** Takes the next frame; what is missing is silence. */
  pull(): Uint8Array {
    const frame = new Uint8Array(FRAME_BYTES).fill(MULAW_SILENCE);
    let filled = 0;
    while (filled < FRAME_BYTES) {
      const piece = this.#queue[0];
      if (!piece) break;
      const taken = piece.subarray(this.#offset, this.#offset + FRAME_BYTES - filled);
      frame.set(taken, filled);
      filled += taken.length;
      this.#offset += taken.length;
      if (this.#offset === piece.length) {
        this.#queue.shift();
        this.#offset = 0;
      }
    }
    this.#played += filled;
    return frame;
  }
}
