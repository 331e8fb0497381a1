import type { DatabaseSync, StatementSync } from "node:sqlite";
import { hitOf } from "./search-page.ts";
import { SqliteCalls } from "./sqlite-calls.ts";
import { SqliteClaims } from "./sqlite-claims.ts";
import { SqliteDamage } from "./sqlite-damage.ts";
import { SqliteDocuments } from "./sqlite-documents.ts";
import { closeFile, openFile } from "./sqlite-file.ts";
import { SqliteKeeping } from "./sqlite-keeping.ts";
import type { Damage, Outcome, Request, Verb, Verbs, WorkerData } from "./sqlite-protocol.ts";
import { isDamage } from "./sqlite-rescue.ts";
import { SqliteSearch } from "./sqlite-search.ts";

type Handlers = { readonly [V in Verb]: (order: Verbs[V]["order"]) => Verbs[V]["result"] };

/** So many calls of an older file are brought up to date before anything else is done; 10,000 would take seconds. */
const BROUGHT_UP_FIRST = 500;
/** And so many at once in the background, in about a hundredth of a second. */
const BROUGHT_UP_AT_ONCE = 4;

/** A store's file and everything that can be asked of it, synchronously: it belongs into a thread of its own. */
export class SqliteJournal {
  readonly #database: DatabaseSync;
  readonly #calls: SqliteCalls;
  readonly #search: SqliteSearch;
  readonly #damage: SqliteDamage;
  readonly #handlers: Handlers;
  readonly #version: StatementSync;
  readonly #save: StatementSync;
  readonly #release: StatementSync;
  #seenVersion = -1;

  /** @throws Error the file cannot be opened or is not ours */
  constructor(data: WorkerData, onDamage: (damage: Damage) => void) {
    const database = openFile(data, onDamage);
    this.#database = database;
    this.#version = database.prepare("PRAGMA data_version");
    this.#save = database.prepare("SAVEPOINT request");
    this.#release = database.prepare("RELEASE request");
    const search = new SqliteSearch(database);
    const damage = new SqliteDamage(database, data.path, onDamage);
    const calls = new SqliteCalls(database, { search, damage });
    const claims = new SqliteClaims(database);
    const documents = new SqliteDocuments(database);
    const keeping = new SqliteKeeping(database, { calls, search, damage });
    this.#calls = calls;
    this.#search = search;
    this.#damage = damage;
    this.#handlers = {
      append: (order) => calls.append(order),
      journal: (order) => calls.journal(order),
      call: (order) => calls.call(order),
      calls: (order) => calls.calls(order),
      claim: (order) => claims.claim(order),
      settle: (order) => claims.settle(order),
      document: (order) => documents.document(order),
      documents: (order) => documents.documents(order),
      keep: (order) => documents.keep(order),
      search: (order) => this.#find(order),
      outdated: (order) => keeping.outdated(order),
      redact: (order) => keeping.redact(order),
      remove: (order) => keeping.remove(order),
      mentions: (order) => keeping.mentions(order),
      blot: (order) => keeping.blot(order),
      unclaim: (order) => keeping.unclaim(order),
      compact: () => keeping.compact(),
      damage: () => damage.report(),
      dropDamage: () => damage.drop(),
    };
    try {
      const old = calls.oldFirst(BROUGHT_UP_FIRST);
      if (old.length > 0) this.#transact(() => renewAll(calls, old));
      this.#setAside();
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /**
   * Carries out requests in order; what was written is durable when this returns. All share one commit. One that fails
   * takes nothing with it: its own writes are undone, and when SQLite gives up the shared transaction, each request
   * gets one of its own.
   * @throws Error the file is damaged, and nothing was carried out
   */
  run(requests: readonly Request[]): Outcome[] {
    const alone = requests.findIndex(({ verb }) => verb === "compact");
    if (alone >= 0) {
      const [before, compact, after] = [requests.slice(0, alone), requests[alone], requests.slice(alone + 1)];
      return [...this.run(before), ...(compact ? [this.#attempt(compact)] : []), ...this.run(after)];
    }
    const outcomes = this.#run(requests);
    this.#setAside();
    return outcomes;
  }

  /** Brings some more calls of an older file up to date. Says whether others are left. @throws Error the disk says no */
  catchUp(): boolean {
    const [old, unread] = [this.#calls.old(BROUGHT_UP_AT_ONCE), this.#search.unread(BROUGHT_UP_AT_ONCE)];
    if (old.length + unread.length === 0) return false;
    this.#transact(() => {
      renewAll(this.#calls, old);
      for (const callId of unread) {
        this.#search.drop(callId);
        for (const entry of this.#calls.find(callId)?.transcript ?? []) this.#search.put(callId, entry);
      }
    });
    this.#setAside();
    return true;
  }

  close(): void {
    closeFile(this.#database);
  }

  // --- Internal helpers ---

  #run(requests: readonly Request[]): Outcome[] {
    if (!requests.some(isWrite)) {
      this.#forgetIfWrittenElsewhere();
      return requests.map((request) => this.#attempt(request));
    }
    try {
      this.#database.exec("BEGIN IMMEDIATE");
    } catch (error) {
      if (isDamage(error)) throw error;
      // Somebody else holds the file: reading still works.
      this.#forgetIfWrittenElsewhere();
      return requests.map((request) => (isWrite(request) ? failure(error) : this.#attempt(request)));
    }
    try {
      this.#forgetIfWrittenElsewhere();
      const outcomes = requests.map((request) => (isWrite(request) ? this.#undoable(request) : this.#attempt(request)));
      this.#database.exec("COMMIT");
      return outcomes;
    } catch (error) {
      this.#calls.forget();
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      if (isDamage(error)) throw error;
      return requests.length === 1 ? [failure(error)] : requests.flatMap((request) => this.#run([request]));
    }
  }

  #transact(work: () => void): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#calls.forget();
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  /** Moves what cannot be read out of the way. While somebody else holds the file it stays, and is met again. */
  #setAside(): void {
    if (!this.#damage.isFound) return;
    try {
      this.#transact(() => {
        this.#calls.forget();
        renewAll(this.#calls, this.#damage.setAside());
      });
      this.#damage.settled();
    } catch (error) {
      if (isDamage(error)) throw error;
    }
  }

  #find(order: Verbs["search"]["order"]): Verbs["search"]["result"] {
    const places = this.#search.find(order);
    const page = places.slice(0, order.limit);
    const last = places.length > order.limit ? page.at(-1) : undefined;
    const hits = page.flatMap(({ callId, entryId }) => {
      const call = this.#calls.find(callId);
      const entry = call?.transcript.find(({ id }) => id === entryId);
      return call && entry ? [hitOf(call, entry, order.words)] : [];
    });
    return { hits: JSON.stringify(hits), notYetSearched: this.#search.countUnread(), ...(last && { last }) };
  }

  #attempt(request: Request): Outcome {
    try {
      return { value: this.#handle(request) };
    } catch (error) {
      if (isDamage(error)) throw error;
      return failure(error);
    }
  }

  /** @throws Error the whole transaction is lost */
  #undoable(request: Request): Outcome {
    this.#save.run();
    const outcome = this.#attempt(request);
    if ("error" in outcome) {
      if (!this.#database.isTransaction) throw new Error(outcome.error);
      this.#database.exec("ROLLBACK TO request");
    }
    this.#release.run();
    return outcome;
  }

  #handle({ verb, order }: Request): Verbs[Verb]["result"] {
    return (this.#handlers[verb] as (order: Request["order"]) => Verbs[Verb]["result"])(order);
  }

  /** Another process may have written: what is kept folded is then old. */
  #forgetIfWrittenElsewhere(): void {
    const { data_version: version } = this.#version.get() as { data_version: number };
    if (version !== this.#seenVersion) this.#calls.forget();
    this.#seenVersion = version;
  }
}

const WRITES: readonly Verb[] = [
  "append",
  "claim",
  "settle",
  "keep",
  "redact",
  "remove",
  "blot",
  "unclaim",
  "dropDamage",
];

function isWrite({ verb }: Request): boolean {
  return WRITES.includes(verb);
}

function renewAll(calls: SqliteCalls, callIds: readonly string[]): void {
  for (const callId of callIds) calls.renew(callId);
}

function failure(error: unknown): Outcome {
  return { error: (error as Error).message };
}
