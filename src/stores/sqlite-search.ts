import type { DatabaseSync, StatementSync } from "node:sqlite";
import { wordsOf } from "../core/search.ts";
import type { TranscriptEntry } from "../core/transcript.ts";
import type { HitPlace, HitQuery } from "./search-page.ts";

/**
 * The words of every turn, in one SQLite file. What goes into the index are words as `wordsOf` finds them, one space
 * between two: SQLite only splits at spaces, and finds what every other store finds. Writing happens inside the
 * caller's transaction.
 */
export class SqliteSearch {
  readonly #database: DatabaseSync;
  readonly #known: StatementSync;
  readonly #add: StatementSync;
  readonly #move: StatementSync;
  readonly #addWords: StatementSync;
  readonly #changeWords: StatementSync;
  readonly #dropWords: StatementSync;
  readonly #drop: StatementSync;
  readonly #unread: StatementSync;
  readonly #markRead: StatementSync;
  readonly #countUnread: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#known = database.prepare("SELECT id FROM turns WHERE call_id = ? AND entry_id = ?");
    this.#add = database.prepare("INSERT INTO turns (call_id, entry_id, start_ms) VALUES (?, ?, ?)");
    this.#move = database.prepare("UPDATE turns SET start_ms = ? WHERE id = ?");
    this.#addWords = database.prepare("INSERT INTO turn_words (rowid, words) VALUES (?, ?)");
    this.#changeWords = database.prepare("UPDATE turn_words SET words = ? WHERE rowid = ?");
    this.#dropWords = database.prepare(
      "DELETE FROM turn_words WHERE rowid IN (SELECT id FROM turns WHERE call_id = ?)",
    );
    this.#drop = database.prepare("DELETE FROM turns WHERE call_id = ?");
    this.#unread = database.prepare("SELECT call_id FROM unsearched LIMIT ?");
    this.#markRead = database.prepare("DELETE FROM unsearched WHERE call_id = ?");
    this.#countUnread = database.prepare("SELECT count(*) AS calls FROM unsearched");
  }

  /** Takes in a turn, or what it has become. */
  put(callId: string, { id, text, startMs }: TranscriptEntry): void {
    const words = wordsOf(text).join(" ");
    const known = this.#known.get(callId, name(id)) as { id: number } | undefined;
    if (known) {
      this.#move.run(startMs, known.id);
      this.#changeWords.run(words, known.id);
      return;
    }
    const { lastInsertRowid } = this.#add.run(callId, name(id), startMs);
    this.#addWords.run(lastInsertRowid, words);
  }

  /** Forgets a call. */
  drop(callId: string): void {
    this.#dropWords.run(callId);
    this.#drop.run(callId);
    this.#markRead.run(callId);
  }

  /** The first turns that hold the words, one more than a page has. */
  find({ words, accountId, caller, limit, after }: HitQuery): HitPlace[] {
    const conditions = ["turn_words MATCH ?"];
    const values: (string | number)[] = [words.map((word) => `"${word}"`).join(" ")];
    const narrow = (condition: string, ...bound: (string | number)[]): void => {
      conditions.push(condition);
      values.push(...bound);
    };
    if (accountId !== undefined) narrow("account_id = ?", accountId);
    if (caller !== undefined) narrow("caller = ?", caller);
    if (after) {
      const { createdAtMs, callId, startMs, entryId } = after;
      narrow(
        "((created_at_ms, call_id) < (?, ?) OR (created_at_ms, call_id) = (?, ?) AND (start_ms, entry_id) > (?, ?))",
        ...[createdAtMs, callId, createdAtMs, callId, startMs, name(entryId)],
      );
    }
    const rows = this.#database
      .prepare(`
        SELECT created_at_ms AS createdAtMs, call_id AS callId, start_ms AS startMs, entry_id AS entryId
        FROM turn_words JOIN turns ON turns.id = turn_words.rowid JOIN calls ON calls.id = turns.call_id
        WHERE ${conditions.join(" AND ")}
        ORDER BY created_at_ms DESC, call_id DESC, start_ms, entry_id LIMIT ?
      `)
      .all(...values, limit + 1) as unknown as HitPlace[];
    return rows.map((row) => ({ ...row, entryId: JSON.parse(row.entryId) as string }));
  }

  /** Some of the calls of an older file whose words are not here yet. */
  unread(count: number): string[] {
    const rows = this.#unread.all(count) as { call_id: string }[];
    return rows.map(({ call_id }) => call_id);
  }

  countUnread(): number {
    return (this.#countUnread.get() as { calls: number }).calls;
  }
}

// --- Internal helpers ---

/** As JSON: SQLite would cut a text at a NUL, and lone surrogates would all become the same letter. */
function name(text: string): string {
  return JSON.stringify(text);
}
