import type { Clock, Timer } from "../core/clock.ts";

/** What the agent says in one item, as far as it is written. */
export interface WordsSoFar {
  readonly responseId: string;
  readonly itemId: string;
  /** All words of the item so far. */
  readonly text: string;
}

/** Words that come within so long are told together: each telling costs as much as forwarding two frames of a caller. */
const TOLD_EVERY_MS = 200;

/** Gathers the agent's words, of which a model writes a few at a time, many times a second. */
export class AgentWords {
  readonly #clock: Clock;
  readonly #tell: (words: WordsSoFar) => void;
  readonly #texts = new Map<string, string>();
  /** Items that have grown since they were told, with their responses. */
  readonly #grown = new Map<string, string>();
  #timer: Timer | undefined;

  constructor(clock: Clock, tell: (words: WordsSoFar) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Some more words of an item came. */
  add(responseId: string, itemId: string, words: string): void {
    this.#texts.set(itemId, (this.#texts.get(itemId) ?? "") + words);
    this.#grown.set(itemId, responseId);
    this.#timer ??= this.#clock.after(TOLD_EVERY_MS, () => this.tell());
  }

  /** Tells what has come since; before anything else is told, or words are asked for. */
  tell(): void {
    if (!this.#timer) return;
    this.#timer.stop();
    this.#timer = undefined;
    const grown = [...this.#grown];
    this.#grown.clear();
    for (const [itemId, responseId] of grown) {
      this.#tell({ responseId, itemId, text: this.#texts.get(itemId) as string });
    }
  }

  /** Nothing more of an item comes here. */
  complete(itemId: string): void {
    this.#texts.delete(itemId);
    this.#grown.delete(itemId);
  }
}
