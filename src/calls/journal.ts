import { apply, type Call, newCall } from "../core/call.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { CallEvent, JournalEntry } from "../core/events.ts";
import type { Logger } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";

/** An event before it is stamped with the time. */
export type Unstamped = CallEvent extends infer Event
  ? Event extends { atMs: number }
    ? Omit<Event, "atMs">
    : never
  : never;

/**
 * Observed events are durable this much later at the latest, if the store is well. All calls write at the same moments,
 * multiples of this: the store then has one commit for all, and its thread one message.
 */
const OBSERVED_WITHIN_MS = 40;
/** After a failed append observed events are tried again this much later. */
const RETRY_AFTER_MS = 500;

interface Batch {
  readonly events: readonly CallEvent[];
  /** Absent for observed events: nobody waits, and a failure is tried again. */
  readonly settle?: { resolve(): void; reject(error: unknown): void };
}

export interface JournalParts {
  readonly callId: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of each entry once it is durable, in order. */
  readonly onDurable: (entry: JournalEntry, call: Call) => void;
  /** Aborted when the store closes: nothing is tried again after that. */
  readonly signal: AbortSignal;
}

/**
 * The one writer of a call's journal. Gated events (`write`) are durable before the promise resolves, so that what
 * they announce happens after; observed ones (`note`) are appended soon after, in order. `call` folds what is durable.
 */
export class CallJournal {
  readonly #parts: JournalParts;
  #call: Call = newCall();
  #batches: Batch[] = [];
  #seq = 0;
  #appending: Promise<void> | undefined;
  #timer: Timer | undefined;

  constructor(parts: JournalParts, existing?: { call: Call; seq: number }) {
    this.#parts = parts;
    if (existing) {
      this.#call = existing.call;
      this.#seq = existing.seq;
    }
  }

  /** The call, as everything durable so far makes it. */
  get call(): Call {
    return this.#call;
  }

  /** The seq of the last durable entry. */
  get seq(): number {
    return this.#seq;
  }

  /** Appends events; resolves when they are durable. @throws StoreError they are not, and will not be tried again */
  write(...events: Unstamped[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#batches.push({ events: events.map((event) => this.#stamp(event)), settle: { resolve, reject } });
      void this.#append();
    });
  }

  /** Appends an event that has already happened. Once the call has ended there is nothing left to observe. */
  note(event: Unstamped): void {
    if (this.#call.state === "ended") return;
    this.#batches.push({ events: [this.#stamp(event)] });
    const { clock } = this.#parts;
    this.#timer ??= clock.after(OBSERVED_WITHIN_MS - (clock.now() % OBSERVED_WITHIN_MS), () => void this.#append());
  }

  /** Resolves when everything noted so far is durable, or the store has failed once more. */
  async flush(): Promise<void> {
    while (this.#appending) await this.#appending;
    if (this.#batches.length > 0) await this.#append();
  }

  #stamp(event: Unstamped): CallEvent {
    return { ...event, atMs: Math.round(this.#parts.clock.now()) } as CallEvent;
  }

  #append(): Promise<void> {
    this.#timer?.stop();
    this.#timer = undefined;
    this.#appending ??= this.#appendAll();
    return this.#appending;
  }

  async #appendAll(): Promise<void> {
    await undefined; // let the caller note that this runs
    while (this.#batches.length > 0) {
      const batches = this.#batches;
      this.#batches = [];
      const events = batches.flatMap((batch) => batch.events);
      try {
        const last = await this.#parts.store.append(this.#parts.callId, events);
        this.#fold(events, last);
        for (const batch of batches) batch.settle?.resolve();
      } catch (error) {
        this.#failed(batches, error);
        if (!this.#batches.some(({ settle }) => settle)) break;
      }
    }
    this.#appending = undefined; // at once: what is written next must not wait for somebody who has finished
  }

  #fold(events: readonly CallEvent[], last: number): void {
    events.forEach((event, index) => {
      this.#call = apply(this.#call, event);
      this.#seq = last - events.length + 1 + index;
      this.#parts.onDurable({ seq: this.#seq, event }, this.#call);
    });
  }

  #failed(batches: readonly Batch[], error: unknown): void {
    this.#parts.logger.error("The journal could not be written.", { callId: this.#parts.callId, error: String(error) });
    for (const batch of batches) batch.settle?.reject(error);
    // What was observed has happened: it stays true and is tried again. What was gated did not happen.
    this.#batches = [...batches.filter((batch) => !batch.settle), ...this.#batches];
    if (this.#batches.some(({ settle }) => settle)) return; // written meanwhile: somebody waits, so it is tried at once
    this.#timer?.stop();
    if (this.#batches.length > 0 && !this.#parts.signal.aborted)
      this.#timer = this.#parts.clock.after(RETRY_AFTER_MS, () => void this.#append());
  }
}
