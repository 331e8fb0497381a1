import type { Call } from "../core/call.ts";
import type { CallEvent, JournalEntry } from "../core/events.ts";

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
}
