import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Verbs } from "./sqlite-protocol.ts";
import type { Claim } from "./store.ts";

/** Each claim clears away at most so many that have expired. */
const SWEEP = 64;

/** Keys that are taken once, in one SQLite file. Inside the caller's transaction, which holds the write lock. */
export class SqliteClaims {
  readonly #sweep: StatementSync;
  readonly #held: StatementSync;
  readonly #take: StatementSync;
  readonly #settle: StatementSync;

  constructor(database: DatabaseSync) {
    this.#sweep = database.prepare(
      `DELETE FROM claims WHERE key IN (SELECT key FROM claims WHERE expires_at_ms < ? LIMIT ${SWEEP})`,
    );
    this.#held = database.prepare("SELECT answer FROM claims WHERE key = ? AND expires_at_ms >= ?");
    this.#take = database.prepare("INSERT OR REPLACE INTO claims (key, answer, expires_at_ms) VALUES (?, NULL, ?)");
    this.#settle = database.prepare("UPDATE claims SET answer = ? WHERE key = ? AND answer IS NULL");
  }

  claim({ key, atMs, expiresAtMs }: Verbs["claim"]["order"]): Claim {
    this.#sweep.run(atMs);
    const held = this.#held.get(name(key), atMs) as { answer: string | null } | undefined;
    if (held) return { first: false, ...(held.answer !== null && { answer: JSON.parse(held.answer) as string }) };
    this.#take.run(name(key), expiresAtMs);
    return { first: true };
  }

  settle({ key, answer }: Verbs["settle"]["order"]): undefined {
    this.#settle.run(JSON.stringify(answer), name(key));
  }
}

// --- Internal helpers ---

/** Text of strangers as JSON: SQLite would cut it at a NUL, and lone surrogates would all become the same letter. */
function name(key: string): string {
  return JSON.stringify(key);
}
