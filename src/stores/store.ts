import type { Call } from "../core/call.ts";
import type { CallEvent, JournalEntry, Removable } from "../core/events.ts";
import type { Speaker } from "../core/transcript.ts";

/** Which calls to list; newest first. */
export interface CallQuery {
  readonly accountId?: string;
  /** E.164 of the other person. */
  readonly caller?: string;
  /** `open`: not ended. `unfinished`: ended, but its post-call work is not done. */
  readonly only?: "open" | "unfinished";
  /** At most this many; 50 unless told, 500 at most. */
  readonly limit?: number;
  /** The `next` of the page before. */
  readonly after?: string;
}

/** One page of calls. */
export interface CallPage {
  readonly calls: readonly Call[];
  /** Hand this in as `after` for the next page; absent on the last. */
  readonly next?: string;
}

/** What is looked for in the transcripts of calls. */
export interface SearchQuery {
  /** Words that must all stand in one turn, whatever their accents and capitals; everything else in it is ignored. */
  readonly text: string;
  readonly accountId?: string;
  /** E.164 of the other person. */
  readonly caller?: string;
  /** At most this many; 20 unless told, 100 at most. */
  readonly limit?: number;
  /** The `next` of the page before. */
  readonly after?: string;
}

/** A turn that holds the words. */
export interface SearchHit {
  readonly callId: string;
  /** The transcript entry's id. */
  readonly entryId: string;
  readonly speaker: Speaker;
  /** Milliseconds since the epoch when the turn began. */
  readonly atMs: number;
  /** One line of the turn around the first of the words. */
  readonly snippet: string;
}

/** One page of hits: the newest call first, the turns of one call as they were spoken. */
export interface SearchPage {
  readonly hits: readonly SearchHit[];
  /** Hand this in as `after` for the next page; absent on the last. */
  readonly next?: string;
  /** How many calls of an older file cannot be found yet, while they are being read; absent when there are none. */
  readonly notYetSearched?: number;
}

/** Which calls have something left whose time is over. */
export interface OutdatedQuery {
  readonly accountId: string;
  /** Calls that began earlier than this, in milliseconds since the epoch. */
  readonly beforeMs: number;
  /** Only those from which this was not removed. */
  readonly still?: Removable;
  readonly limit: number;
}

/** What mentions a person beside journals. */
export interface Mentions {
  readonly documents: readonly (StoredDocument & { readonly kind: string })[];
  /** Keys of claims. */
  readonly claims: readonly string[];
}

/** What was found damaged and set aside. Nothing of it is used, nothing of it is lost. */
export interface StoreDamage {
  /** Entries of journals and snapshots of calls that cannot be read. */
  readonly rows: number;
  /** Some of the calls that they belong to. */
  readonly callIds: readonly string[];
  /** Files that were no stores any more; what could be read of them was taken over. */
  readonly files: readonly string[];
}

/** The outcome of claiming a key. */
export type Claim =
  | { readonly first: true }
  /** Somebody was first; `answer` is what they settled on, once they have. */
  | { readonly first: false; readonly answer?: string };

/** A small document: what is kept of a caller, a link, a question, a call to be made. */
export interface StoredDocument<Value = unknown> {
  readonly key: string;
  /** Anything that JSON can hold. */
  readonly value: Value;
  /** 1 when it was first kept, one more with each change. */
  readonly version: number;
}

/**
 * Durable memory of calls: an append-only journal per call, from which everything else is folded.
 *
 * - What a method promises is durable when its promise resolves, also if the process is killed the next instant.
 * - Concurrent calls of one method are safe and may share one commit; appends of one call keep their order.
 * - No transactions and no connection show through; a store that fails rejects with `StoreError` and stays usable.
 */
export interface Store {
  /** Opens or creates the store. Nothing else may be called before it resolves. @throws StoreError */
  start(): Promise<void>;
  /** Waits for running work, then closes. Idempotent. */
  stop(): Promise<void>;

  /** Appends events to a call's journal, in order, all or none. Resolves with the seq of the last one. @throws StoreError */
  append(callId: string, events: readonly CallEvent[]): Promise<number>;
  /** The journal of a call from `afterSeq` (exclusive) on; empty when there is no such call. */
  journal(callId: string, afterSeq?: number): Promise<readonly JournalEntry[]>;

  /** The call as its whole journal folds, or `undefined`. */
  call(callId: string): Promise<Call | undefined>;
  /** Lists calls, newest first. */
  calls(query?: CallQuery): Promise<CallPage>;

  /**
   * Takes a key once: webhooks, tool calls and requests are carried out by whoever was first. Forgotten after `expiresAtMs`.
   * `atMs` is the caller's clock.
   */
  claim(key: string, atMs: number, expiresAtMs: number): Promise<Claim>;
  /** Notes what the first claimant answered, for those who come again. */
  settle(key: string, answer: string): Promise<void>;

  /** A document by its kind and key, or `undefined`. */
  document<Value>(kind: string, key: string): Promise<StoredDocument<Value> | undefined>;
  /** All documents of a kind, by key. */
  documents<Value>(kind: string): Promise<readonly StoredDocument<Value>[]>;
  /**
   * Keeps a document if it still has `version`; 0: if it is not there. `undefined` as its value removes it. Resolves
   * with whether it did; if not, somebody else has changed it meanwhile: read it again.
   */
  keep(kind: string, key: string, value: unknown, version: number): Promise<boolean>;

  /** Finds turns by their words. What was appended is found once its append resolves. @throws InvalidRequestError */
  search(query: SearchQuery): Promise<SearchPage>;

  /** Calls that are over and settled and began before a moment, the oldest first. */
  outdated(query: OutdatedQuery): Promise<readonly Call[]>;
  /**
   * Takes every word out of calls that are over and settled, in their journals too, and notes at `atMs` that it did.
   * Their numbers stay; seqs and times of entries too. Resolves with how many calls it changed.
   */
  redact(callIds: readonly string[], atMs: number): Promise<number>;
  /** Removes calls with their journals. Resolves with how many entries that were. */
  remove(callIds: readonly string[]): Promise<number>;

  /**
   * Documents and claims whose key, value or answer holds one of these ids or numbers; of a number its digits count,
   * not where they are part of a longer one.
   */
  mentions(texts: readonly string[]): Promise<Mentions>;
  /**
   * Makes a number unreadable wherever journals mention it, of one account or of all. Resolves with how many entries
   * it changed.
   */
  blot(number: string, accountId?: string): Promise<number>;
  /** Forgets claims. */
  unclaim(keys: readonly string[]): Promise<void>;
  /**
   * Leaves no byte on the disk of anything that was removed or changed. May take seconds, in which nothing else is
   * done. @throws StoreError somebody else reads the store: nothing is lost, and trying again later is safe
   */
  compact(): Promise<void>;

  /** What was set aside so far. */
  damage(): Promise<StoreDamage>;
  /** Throws away for good what was set aside. Resolves with how many rows and files that were. */
  dropDamage(): Promise<number>;
}
