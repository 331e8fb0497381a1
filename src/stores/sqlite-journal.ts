import type { DatabaseSync, StatementSync } from "node:sqlite";
import { SqliteCalls } from "./sqlite-calls.ts";
import { SqliteClaims } from "./sqlite-claims.ts";
import { SqliteDocuments } from "./sqlite-documents.ts";
import { closeFile, openFile } from "./sqlite-file.ts";
import type { Damage, Outcome, Request, Verb, Verbs } from "./sqlite-protocol.ts";

type Handlers = { readonly [V in Verb]: (order: Verbs[V]["order"]) => Verbs[V]["result"] };

/** A store's file and everything that can be asked of it, synchronously: it belongs into a thread of its own. */
export class SqliteJournal {
  readonly #database: DatabaseSync;
  readonly #calls: SqliteCalls;
  readonly #handlers: Handlers;
  readonly #version: StatementSync;
  readonly #save: StatementSync;
  readonly #release: StatementSync;
  #seenVersion = -1;

  /** @throws Error the file cannot be opened or is not ours */
  constructor(path: string, onDamage: (damage: Damage) => void) {
    this.#database = openFile(path);
    this.#version = this.#database.prepare("PRAGMA data_version");
    this.#save = this.#database.prepare("SAVEPOINT request");
    this.#release = this.#database.prepare("RELEASE request");
    const calls = new SqliteCalls(this.#database, onDamage);
    const claims = new SqliteClaims(this.#database);
    const documents = new SqliteDocuments(this.#database);
    this.#calls = calls;
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
    };
    calls.refold();
  }

  /**
   * Carries out requests in order; what was written is durable when this returns. All share one commit. One that fails
   * takes nothing with it: its own writes are undone, and when SQLite gives up the shared transaction, each request
   * gets one of its own.
   */
  run(requests: readonly Request[]): Outcome[] {
    if (!requests.some(isWrite)) {
      this.#forgetIfWrittenElsewhere();
      return requests.map((request) => this.#attempt(request));
    }
    try {
      this.#database.exec("BEGIN IMMEDIATE");
    } catch (error) {
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
      return requests.length === 1 ? [failure(error)] : requests.flatMap((request) => this.run([request]));
    }
  }

  close(): void {
    closeFile(this.#database);
  }

  // --- Internal helpers ---

  #attempt(request: Request): Outcome {
    try {
      return { value: this.#handle(request) };
    } catch (error) {
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

function isWrite({ verb }: Request): boolean {
  return verb === "append" || verb === "claim" || verb === "settle" || verb === "keep";
}

function failure(error: unknown): Outcome {
  return { error: (error as Error).message };
}
