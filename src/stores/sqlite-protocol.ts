import type { PageQuery, Place } from "./page.ts";
import type { HitPlace, HitQuery } from "./search-page.ts";
import type { Claim, OutdatedQuery, StoreDamage } from "./store.ts";

/**
 * What the store asks of its thread, verb by verb. Events and calls cross as the JSON text that the file holds:
 * a string is copied faster than the objects it spells.
 */
export interface Verbs {
  append: { order: { readonly callId: string; readonly bodies: readonly string[] }; result: number };
  /** The result is the JSON of `JournalEntry[]`. */
  journal: { order: { readonly callId: string; readonly afterSeq: number }; result: string };
  /** The result is the JSON of a `Call`. */
  call: { order: { readonly callId: string }; result: string | undefined };
  /** `calls` is the JSON of `Call[]`; `last` is where the next page goes on. */
  calls: { order: PageQuery; result: { readonly calls: string; readonly last?: Place } };
  claim: { order: { readonly key: string; readonly atMs: number; readonly expiresAtMs: number }; result: Claim };
  settle: { order: { readonly key: string; readonly answer: string }; result: undefined };
  document: { order: { readonly kind: string; readonly key: string }; result: DocumentRow | undefined };
  documents: { order: { readonly kind: string }; result: readonly DocumentRow[] };
  /** Without `body` the document is removed. */
  keep: {
    order: { readonly kind: string; readonly key: string; readonly body?: string; readonly version: number };
    result: boolean;
  };
  /** `hits` is the JSON of `SearchHit[]`; `last` is where the next page goes on. */
  search: {
    order: HitQuery;
    result: { readonly hits: string; readonly last?: HitPlace; readonly notYetSearched: number };
  };
  /** The result is the JSON of `Call[]`. */
  outdated: { order: OutdatedQuery; result: string };
  redact: { order: { readonly callIds: readonly string[]; readonly atMs: number }; result: number };
  remove: { order: { readonly callIds: readonly string[] }; result: number };
  mentions: {
    order: { readonly texts: readonly string[] };
    result: {
      readonly documents: readonly (DocumentRow & { readonly kind: string })[];
      readonly claims: readonly string[];
    };
  };
  blot: { order: { readonly number: string; readonly accountId?: string }; result: number };
  unclaim: { order: { readonly keys: readonly string[] }; result: undefined };
  /** Shares no commit with anything. */
  compact: { order: Readonly<Record<string, never>>; result: undefined };
  damage: { order: Readonly<Record<string, never>>; result: StoreDamage };
  dropDamage: { order: Readonly<Record<string, never>>; result: number };
}

/** A document; `body` is the JSON of its value. */
export interface DocumentRow {
  readonly key: string;
  readonly version: number;
  readonly body: string;
}

export type Verb = keyof Verbs;

export type Request<V extends Verb = Verb> = V extends Verb
  ? { readonly verb: V; readonly order: Verbs[V]["order"] }
  : never;

/** What became of one request; an error crosses threads as its words. */
export type Outcome = { readonly value: Verbs[Verb]["result"] } | { readonly error: string };

/** A stored row that could not be used and was passed over. */
export interface DamagedRow {
  readonly callId: string;
  /** Absent when it is the call's snapshot. */
  readonly seq?: number;
  readonly reason: string;
}

/** A file that was no store any more. */
export interface DamagedFile {
  /** Where it is now. */
  readonly file: string;
  /** How many of its rows were taken over into a new one. */
  readonly savedRows: number;
}

export type Damage = DamagedRow | DamagedFile;

/** How safe a commit is from a loss of power. */
export type Durability = "full" | "normal";

/** What the thread is started with. */
export interface WorkerData {
  readonly path: string;
  readonly durability: Durability;
}

export type ToThread = { readonly requests: readonly Request[] } | { readonly close: true };

export type FromThread =
  | { readonly opened: true }
  | { readonly failed: string }
  | { readonly outcomes: readonly Outcome[] }
  | { readonly damage: Damage }
  | { readonly closed: true };
