import type { ResponseOrder } from "../engines/engine.ts";

/** An order that waits for a session. */
export interface WaitingOrder {
  readonly order: ResponseOrder;
  /** The items in which a part of it was already said. */
  readonly begunItems: readonly string[];
}

/** The responses that a line owes while it has no session, or one that is asked for patience. */
export class OrderBook {
  #waiting: WaitingOrder[] = [];
  /** Nothing is taken up earlier. */
  notBeforeMs = 0;

  get all(): readonly WaitingOrder[] {
    return this.#waiting;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Takes an order. One that answers the caller replaces an older one that was to do so. */
  add(order: ResponseOrder, begunItems: readonly string[] = []): void {
    if (answersCaller(order)) this.#waiting = this.#waiting.filter(({ order: older }) => !answersCaller(older));
    this.#waiting.push({ order, begunItems });
  }

  /** Takes an order that failed: it is the next, unless a newer one answers the caller already. */
  addFirst(order: ResponseOrder): void {
    if (answersCaller(order) && this.#waiting.some(({ order: newer }) => answersCaller(newer))) return;
    this.#waiting.unshift({ order, begunItems: [] });
  }

  /** Forgets what waits, but for texts that must be said. */
  stop(): void {
    this.#waiting = this.#waiting.filter(({ order }) => order.cause === "say");
  }

  takeAll(): readonly WaitingOrder[] {
    return this.#waiting.splice(0);
  }
}

// --- Internal helpers ---

const answersCaller = ({ cause }: ResponseOrder): boolean => cause === "turn" || cause === "tool";
