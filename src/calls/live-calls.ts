import type { Call } from "../core/call.ts";
import { LimitReachedError } from "../core/errors.ts";
import type { EndReason } from "../core/events.ts";
import type { Account } from "./account.ts";
import type { Conversation } from "./conversation.ts";
import type { CallJournal } from "./journal.ts";

/** A call that this process owns. Nothing of it is shared with another call. */
export interface LiveCall {
  readonly id: string;
  readonly account: Account;
  readonly journal: CallJournal;
  readonly conversation: Conversation;
  /** The carrier's id of the leg, as soon as it is known. */
  legId: string | undefined;
  /** The highest sequence number of a status that was taken; older ones come too late. */
  lastSequence: number;
  /** Set once somebody ends the call: the one end that all endings meet. */
  ending: Promise<Call> | undefined;
  /** Set while the carrier is asked what became of a leg whose media is gone. */
  settling: Promise<void> | undefined;
  /** Why the leg is over, once the carrier has said so unasked. */
  legReason?: EndReason;
  /** Called when the carrier says that the leg is over. */
  onLegEnded: (() => void) | undefined;
  /** Whether its sound has arrived, be it gone again. */
  hadMedia: boolean;
  /** The same call once it was taken up again: whoever still has this one means that one. */
  successor?: LiveCall;
  /** Timers that belong to this call. */
  readonly timers: { stop(): void }[];
}

/** The calls of this process, and how many each account may have. */
export class LiveCalls {
  readonly #calls = new Map<string, LiveCall>();
  /** When outbound calls were placed within the last minute, by account. */
  readonly #placements = new Map<string, number[]>();
  readonly #placing = new Map<string, Promise<unknown>>();

  get size(): number {
    return this.#calls.size;
  }

  all(): LiveCall[] {
    return [...this.#calls.values()];
  }

  get(callId: string | undefined): LiveCall | undefined {
    return callId === undefined ? undefined : this.#calls.get(callId);
  }

  byLeg(legId: string): LiveCall | undefined {
    return this.all().find((live) => live.legId === legId);
  }

  count(accountId: string): number {
    return this.all().filter(({ account }) => account.id === accountId).length;
  }

  /** Counts an outbound call. @throws LimitReachedError every line is taken, or the last 60 seconds had enough */
  countPlacement({ id, limits }: Account, nowMs: number): void {
    if (this.count(id) >= limits.maxConcurrentCalls) {
      throw new LimitReachedError("limits.maxConcurrentCalls", limits.maxConcurrentCalls);
    }
    const recent = (this.#placements.get(id) ?? []).filter((atMs) => atMs > nowMs - 60_000);
    if (recent.length >= limits.placementsPerMinute) {
      throw new LimitReachedError("limits.placementsPerMinute", limits.placementsPerMinute);
    }
    this.#placements.set(id, [...recent, nowMs]);
  }

  /** Waits for others who place the same call, then runs `place`. */
  async oneByOne<Result>(callId: string, place: () => Promise<Result>): Promise<Result> {
    for (let other = this.#placing.get(callId); other; other = this.#placing.get(callId)) await other.catch(() => {});
    const placing = place().finally(() => this.#placing.delete(callId));
    this.#placing.set(callId, placing);
    return placing;
  }

  add(live: LiveCall): void {
    this.#calls.set(live.id, live);
  }

  remove(live: LiveCall): void {
    for (const timer of live.timers) timer.stop();
    this.#calls.delete(live.id);
  }
}
