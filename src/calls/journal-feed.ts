import type { JournalEntry } from "../core/events.ts";
import type { Store } from "../stores/store.ts";

/** Passes durable journal entries to whoever follows a call. */
export class JournalFeed {
  readonly #followers = new Map<string, Set<Follower>>();
  /** Calls of which more may come. */
  readonly #open = new Set<string>();

  /** A call begins: its followers wait for more until `close`. */
  open(callId: string): void {
    this.#open.add(callId);
  }

  /** Whether more may come for a call. */
  isOpen(callId: string): boolean {
    return this.#open.has(callId);
  }

  /** An entry of a call is durable. */
  publish(callId: string, entry: JournalEntry): void {
    for (const follower of this.#followers.get(callId) ?? []) follower.push(entry);
  }

  /** Nothing more will come for a call. */
  close(callId: string): void {
    this.#open.delete(callId);
    for (const follower of this.#followers.get(callId) ?? []) follower.end();
  }

  /** Past entries from the store, then new ones as they become durable, each once and in order. */
  async *follow(store: Store, callId: string, afterSeq: number, signal: AbortSignal): AsyncGenerator<JournalEntry> {
    const follower = new Follower(signal);
    if (this.isOpen(callId)) this.#add(callId, follower);
    else follower.end();
    try {
      let last = afterSeq;
      for (const entry of await store.journal(callId, afterSeq)) {
        last = entry.seq;
        yield entry;
      }
      for await (const entry of follower.entries()) {
        if (entry.seq <= last) continue; // it was in the store already when we read it
        last = entry.seq;
        yield entry;
      }
    } finally {
      this.#remove(callId, follower);
    }
  }

  #add(callId: string, follower: Follower): void {
    const followers = this.#followers.get(callId) ?? new Set();
    followers.add(follower);
    this.#followers.set(callId, followers);
  }

  #remove(callId: string, follower: Follower): void {
    const followers = this.#followers.get(callId);
    followers?.delete(follower);
    if (followers?.size === 0) this.#followers.delete(callId);
    follower.end();
  }
}

/** A queue that one reader waits on. */
class Follower {
  readonly #signal: AbortSignal;
  #queue: JournalEntry[] = [];
  #ended = false;
  #wake: () => void = () => {};
  readonly #onAbort = () => this.end();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    if (signal.aborted) this.#ended = true;
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  push(entry: JournalEntry): void {
    this.#queue.push(entry);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#wake();
  }

  async *entries(): AsyncGenerator<JournalEntry> {
    for (;;) {
      const batch = this.#queue;
      this.#queue = [];
      yield* batch;
      if (this.#queue.length > 0) continue;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
