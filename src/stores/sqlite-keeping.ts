import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Call } from "../core/call.ts";
import { EVENT_VERSION } from "../core/event-versions.ts";
import type { CallEvent } from "../core/events.ts";
import { blotted, mentionFinder } from "../core/mentions.ts";
import { withoutWords } from "../core/redaction.ts";
import { bitOf, isFinished, readEvent, writeEvent } from "./folded.ts";
import type { SqliteCalls } from "./sqlite-calls.ts";
import type { SqliteDamage } from "./sqlite-damage.ts";
import type { Verbs } from "./sqlite-protocol.ts";
import type { SqliteSearch } from "./sqlite-search.ts";

export interface SqliteKeepingParts {
  readonly calls: SqliteCalls;
  readonly search: SqliteSearch;
  readonly damage: SqliteDamage;
}

interface EntryRow {
  readonly call_id: string;
  readonly seq: number;
  readonly body: unknown;
  readonly version: number;
}

/** What is not kept for ever, in one SQLite file. Writing happens inside the caller's transaction. */
export class SqliteKeeping {
  readonly #database: DatabaseSync;
  readonly #parts: SqliteKeepingParts;
  readonly #outdated: StatementSync;
  readonly #entries: StatementSync;
  readonly #rewrite: StatementSync;
  readonly #unclaim: StatementSync;

  constructor(database: DatabaseSync, parts: SqliteKeepingParts) {
    this.#database = database;
    this.#parts = parts;
    this.#outdated = database.prepare(`
      SELECT id FROM calls
      WHERE account_id = ? AND created_at_ms < ? AND state = 'ended' AND unfinished = 0 AND removed & ? = 0
        AND last_seq >= 0
      ORDER BY created_at_ms, id LIMIT ?
    `);
    this.#entries = database.prepare("SELECT call_id, seq, body, version FROM journal WHERE call_id = ? ORDER BY seq");
    this.#rewrite = database.prepare(
      `UPDATE journal SET body = ?, version = ${EVENT_VERSION} WHERE call_id = ? AND seq = ?`,
    );
    this.#unclaim = database.prepare("DELETE FROM claims WHERE key = ?");
  }

  outdated({ accountId, beforeMs, still, limit }: Verbs["outdated"]["order"]): string {
    const bit = still === undefined ? 0 : bitOf(still);
    const rows = this.#outdated.all(accountId, beforeMs, bit, limit) as { id: string }[];
    return JSON.stringify(rows.map(({ id }) => this.#parts.calls.find(id)).filter((call) => call !== undefined));
  }

  redact({ callIds, atMs }: Verbs["redact"]["order"]): number {
    const due = callIds.filter((callId) => mayRedact(this.#parts.calls.find(callId)));
    for (const callId of due) this.#redact(callId, atMs);
    return due.length;
  }

  remove({ callIds }: Verbs["remove"]["order"]): number {
    const { calls, search, damage } = this.#parts;
    let entries = 0;
    for (const callId of callIds) {
      search.drop(callId);
      damage.forget(callId);
      entries += calls.remove(callId);
    }
    return entries;
  }

  mentions({ texts }: Verbs["mentions"]["order"]): Verbs["mentions"]["result"] {
    const isMentioned = mentionFinder(texts);
    const documents = this.#database.prepare("SELECT kind, key, version, body FROM documents ORDER BY kind, key");
    const claims = this.#database.prepare("SELECT key, answer FROM claims ORDER BY key");
    return {
      documents: (documents.all() as { kind: string; key: string; version: number; body: string }[])
        .filter(({ key, body }) => isMentioned(key) || isMentioned(body))
        .map(({ kind, key, ...row }) => ({ kind: JSON.parse(kind), key: JSON.parse(key), ...row })),
      claims: (claims.all() as { key: string; answer: string | null }[])
        .filter(({ key, answer }) => isMentioned(key) || (answer !== null && isMentioned(answer)))
        .map(({ key }) => JSON.parse(key) as string),
    };
  }

  blot({ number, accountId }: Verbs["blot"]["order"]): number {
    const isMentioned = mentionFinder([number]);
    const of = accountId === undefined ? "" : "AND call_id IN (SELECT id FROM calls WHERE account_id = ?)";
    const rows = this.#database
      .prepare(`SELECT call_id, seq, body, version FROM journal WHERE instr(body, ?) > 0 ${of}`)
      .all(number.replace("+", ""), ...(accountId === undefined ? [] : [accountId])) as unknown as EntryRow[];
    const named = rows.filter(({ body }) => isMentioned(String(body)));
    for (const { call_id, seq, body, version } of named)
      this.#rewrite.run(
        rewritten(body, version, (event) => blotted(event, number)),
        call_id,
        seq,
      );
    for (const callId of new Set(named.map(({ call_id }) => call_id))) this.#renew(callId);
    return named.length;
  }

  unclaim({ keys }: Verbs["unclaim"]["order"]): undefined {
    for (const key of keys) this.#unclaim.run(JSON.stringify(key));
  }

  /**
   * Stands alone, outside any transaction. Zeroing what is deleted (`secure_delete`) is not enough: rows that moved to
   * another page when a full one was split leave themselves behind, and an index of words keeps some of them as signposts.
   */
  compact(): undefined {
    this.#database.exec("INSERT INTO turn_words (turn_words) VALUES ('rebuild'); VACUUM");
    const { busy } = this.#database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get() as { busy: number };
    if (busy !== 0) throw new Error("somebody else reads the file");
  }

  /** Folds a call whose journal was rewritten, and has it found by the words that it has now. */
  #renew(callId: string): void {
    const { calls, search } = this.#parts;
    calls.renew(callId);
    search.drop(callId);
    for (const entry of calls.find(callId)?.transcript ?? []) search.put(callId, entry);
  }

  #redact(callId: string, atMs: number): void {
    const { calls, search, damage } = this.#parts;
    const rows = this.#entries.all(callId) as unknown as EntryRow[];
    for (const { seq, body, version } of rows) {
      const bare = rewritten(body, version, withoutWords);
      if (bare !== body) this.#rewrite.run(bare, callId, seq);
    }
    search.drop(callId);
    damage.forget(callId);
    const removed: CallEvent = { type: "data.removed", atMs, what: "words" };
    calls.append({ callId, bodies: [writeEvent(removed)] });
    calls.renew(callId);
  }
}

// --- Internal helpers ---

function mayRedact(call: Call | undefined): boolean {
  return call !== undefined && isFinished(call) && !call.removed.includes("words");
}

/** A stored event as `change` makes it; nothing is left of one that cannot be read. */
function rewritten(body: unknown, version: number, change: (event: CallEvent) => CallEvent): string {
  try {
    return body === "" ? "" : writeEvent(change(readEvent(body, version)));
  } catch {
    return ""; // torn: what is to go may stand in it
  }
}
