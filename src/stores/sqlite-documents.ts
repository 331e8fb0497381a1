import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Verbs } from "./sqlite-protocol.ts";

/** Small documents by kind and key, in one SQLite file. Writes stand inside the caller's transaction. */
export class SqliteDocuments {
  readonly #one: StatementSync;
  readonly #all: StatementSync;
  readonly #add: StatementSync;
  readonly #change: StatementSync;
  readonly #remove: StatementSync;

  constructor(database: DatabaseSync) {
    this.#one = database.prepare("SELECT version, body FROM documents WHERE kind = ? AND key = ?");
    this.#all = database.prepare("SELECT key, version, body FROM documents WHERE kind = ? ORDER BY key");
    this.#add = database.prepare("INSERT OR IGNORE INTO documents (kind, key, version, body) VALUES (?, ?, 1, ?)");
    this.#change = database.prepare(
      "UPDATE documents SET body = ?, version = version + 1 WHERE kind = ? AND key = ? AND version = ?",
    );
    this.#remove = database.prepare("DELETE FROM documents WHERE kind = ? AND key = ? AND version = ?");
  }

  document({ kind, key }: Verbs["document"]["order"]): Verbs["document"]["result"] {
    const row = this.#one.get(name(kind), name(key)) as { version: number; body: string } | undefined;
    return row && { key, ...row };
  }

  documents({ kind }: Verbs["documents"]["order"]): Verbs["documents"]["result"] {
    const rows = this.#all.all(name(kind)) as { key: string; version: number; body: string }[];
    return rows.map(({ key, ...row }) => ({ key: JSON.parse(key) as string, ...row }));
  }

  keep({ kind, key, body, version }: Verbs["keep"]["order"]): boolean {
    if (body === undefined) return this.#remove.run(name(kind), name(key), version).changes > 0;
    if (version === 0) return this.#add.run(name(kind), name(key), body).changes > 0;
    return this.#change.run(body, name(kind), name(key), version).changes > 0;
  }
}

// --- Internal helpers ---

/** As JSON: SQLite would cut a text at a NUL, and lone surrogates would all become the same letter. */
function name(text: string): string {
  return JSON.stringify(text);
}
