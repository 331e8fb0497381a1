import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Call } from "../core/call.ts";
import { EVENT_VERSION } from "../core/event-versions.ts";
import { type Folded, foldNext, isCall, isFinished, isListedAlike, listing, NOTHING, readEvent } from "./folded.ts";
import type { PageQuery } from "./page.ts";
import type { SqliteDamage } from "./sqlite-damage.ts";
import type { Verbs } from "./sqlite-protocol.ts";
import type { SqliteSearch } from "./sqlite-search.ts";

/** A call as folded, and how much of that its row in `calls` holds. */
interface Stored extends Folded {
  readonly savedSeq: number;
}

/** Between two changes that lists can see, a row may fall behind its journal by so many entries. */
const SAVE_EVERY = 32;

/** Open calls are kept folded; past this many the longest kept is read anew when it is needed. */
const KEPT_CALLS = 1_000;

export interface SqliteCallsParts {
  readonly search: SqliteSearch;
  readonly damage: SqliteDamage;
}

/**
 * Journals and the calls they fold to, in one SQLite file. Writing happens inside the caller's transaction; when that
 * is lost, `forget` what was folded.
 */
export class SqliteCalls {
  readonly #database: DatabaseSync;
  readonly #search: SqliteSearch;
  readonly #damage: SqliteDamage;
  readonly #kept = new Map<string, Stored>();
  readonly #insert: StatementSync;
  readonly #entries: StatementSync;
  readonly #row: StatementSync;
  readonly #old: StatementSync;
  readonly #oldFirst: StatementSync;
  readonly #save: StatementSync;
  readonly #dropEntries: StatementSync;
  readonly #dropRow: StatementSync;

  constructor(database: DatabaseSync, { search, damage }: SqliteCallsParts) {
    this.#database = database;
    this.#search = search;
    this.#damage = damage;
    this.#insert = database.prepare(
      `INSERT INTO journal (call_id, seq, at_ms, type, body, version) VALUES (?, ?, ?, ?, ?, ${EVENT_VERSION})`,
    );
    this.#entries = database.prepare(
      "SELECT seq, body, version FROM journal WHERE call_id = ? AND seq > ? ORDER BY seq",
    );
    this.#row = database.prepare("SELECT last_seq, snapshot FROM calls WHERE id = ?");
    this.#old = database.prepare("SELECT id FROM calls WHERE last_seq < 0 LIMIT ?");
    this.#oldFirst = database.prepare(`
      SELECT id FROM calls WHERE last_seq < 0 AND (state <> 'ended' OR unfinished = 1)
      UNION SELECT id FROM (SELECT id FROM calls WHERE last_seq < 0 ORDER BY created_at_ms DESC LIMIT ?)
    `);
    this.#save = database.prepare(`
      INSERT OR REPLACE INTO calls (id, account_id, caller, state, created_at_ms, unfinished, removed, last_seq, snapshot)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    `);
    this.#dropEntries = database.prepare("DELETE FROM journal WHERE call_id = ?");
    this.#dropRow = database.prepare("DELETE FROM calls WHERE id = ?");
  }

  append({ callId, bodies }: Verbs["append"]["order"]): number {
    const before = this.#load(callId);
    let after: Folded = before;
    for (const body of bodies) {
      const event = readEvent(body);
      const next = foldNext(after, after.lastSeq + 1, event);
      this.#insert.run(callId, next.lastSeq, event.atMs, event.type, body);
      const isHeard = next.call.transcript !== after.call.transcript;
      if (event.type === "transcript.added" && isHeard) this.#search.put(callId, event.entry);
      after = next;
    }
    if (after !== before) this.#keep(callId, this.#saveIfDue(callId, before, after));
    return after.lastSeq;
  }

  journal({ callId, afterSeq }: Verbs["journal"]["order"]): string {
    const entries: string[] = [];
    for (const { seq, body, version } of this.#rows(callId, afterSeq)) {
      if (body === "") continue;
      const event = this.#damage.guard({ callId, seq }, () => readEvent(body, version));
      if (event) entries.push(`{"seq":${seq},"event":${version < EVENT_VERSION ? JSON.stringify(event) : body}}`);
    }
    return `[${entries.join(",")}]`;
  }

  call({ callId }: Verbs["call"]["order"]): string | undefined {
    const call = this.find(callId);
    return call && JSON.stringify(call);
  }

  /** The call as its whole journal folds. */
  find(callId: string): Call | undefined {
    const stored = this.#load(callId);
    return isCall(stored) ? stored.call : undefined;
  }

  calls({ accountId, caller, only, limit, after }: PageQuery): Verbs["calls"]["result"] {
    const conditions = ["true"];
    const values: (string | number)[] = [];
    const narrow = (condition: string, ...bound: (string | number)[]): void => {
      conditions.push(condition);
      values.push(...bound);
    };
    if (accountId !== undefined) narrow("account_id = ?", accountId);
    if (caller !== undefined) narrow("caller = ?", caller);
    if (only === "open") narrow("state <> 'ended'");
    if (only === "unfinished") narrow("unfinished = 1");
    if (after) narrow("(created_at_ms, id) < (?, ?)", after.createdAtMs, after.id);
    const rows = this.#database
      .prepare(`
        SELECT id, created_at_ms AS createdAtMs, last_seq, snapshot FROM calls
        WHERE ${conditions.join(" AND ")} ORDER BY created_at_ms DESC, id DESC LIMIT ?
      `)
      .all(...values, limit + 1) as unknown as PageRow[];
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    const calls = page.map((row) => this.#load(row.id, row)).filter(isCall);
    return {
      calls: `[${calls.map(({ call }) => JSON.stringify(call)).join(",")}]`,
      ...(last && { last: { createdAtMs: last.createdAtMs, id: last.id } }),
    };
  }

  /** The calls to be folded anew that somebody may ask for at once: all with work left, and the newest. */
  oldFirst(newest: number): string[] {
    return idsOf(this.#oldFirst.all(newest));
  }

  /** Some of the calls that are to be folded anew. */
  old(count: number): string[] {
    return idsOf(this.#old.all(count));
  }

  /** Folds a call anew, in the caller's transaction. */
  renew(callId: string): void {
    this.#kept.delete(callId);
    const folded = this.#foldOn(callId, NOTHING);
    if (isCall(folded)) this.#write(callId, folded);
    else this.#dropRow.run(callId);
  }

  /** Removes a call with its journal. Says how many entries that had. */
  remove(callId: string): number {
    this.#kept.delete(callId);
    this.#dropRow.run(callId);
    return Number(this.#dropEntries.run(callId).changes);
  }

  /** Reads every call from the file again the next time. */
  forget(): void {
    this.#kept.clear();
  }

  // --- Internal helpers ---

  #load(callId: string, known?: SnapshotRow): Stored {
    const kept = this.#kept.get(callId);
    if (kept) return kept;
    const row = known ?? (this.#row.get(callId) as unknown as SnapshotRow | undefined);
    const saved = (row && row.last_seq >= 0 && this.#damage.guard({ callId }, () => readSnapshot(row))) || NOTHING;
    return { ...this.#foldOn(callId, saved), savedSeq: saved.lastSeq };
  }

  /** Folds what the journal holds beyond `from`. A row that is damaged is passed over, and said. */
  #foldOn(callId: string, from: Folded): Folded {
    let folded = from;
    for (const { seq, body, version } of this.#rows(callId, from.lastSeq)) {
      const isThere = body !== "";
      const read = () => foldNext(folded, seq, readEvent(body, version));
      folded = (isThere && this.#damage.guard({ callId, seq }, read)) || { ...folded, lastSeq: seq };
    }
    return folded;
  }

  /** The entries of a journal beyond a seq; the body of one that was set aside is empty. */
  #rows(callId: string, afterSeq: number): Iterable<JournalRow> {
    return this.#entries.iterate(callId, afterSeq) as Iterable<JournalRow>;
  }

  #saveIfDue(callId: string, before: Stored, after: Folded): Stored {
    const due =
      isCall(after) &&
      (before.savedSeq === 0 ||
        after.lastSeq - before.savedSeq >= SAVE_EVERY ||
        !isListedAlike(after.call, before.call));
    if (due) this.#write(callId, after);
    return { ...after, savedSeq: due ? after.lastSeq : before.savedSeq };
  }

  #write(callId: string, { call, lastSeq }: Folded): void {
    const { accountId, caller, state, createdAtMs, unfinished, removed } = listing(call);
    const row = [callId, accountId, caller, state, createdAtMs, unfinished ? 1 : 0, removed, lastSeq];
    this.#save.run(...row, JSON.stringify(call));
  }

  #keep(callId: string, stored: Stored): void {
    this.#kept.delete(callId);
    if (isFinished(stored.call)) return;
    this.#kept.set(callId, stored);
    const [longestKept] = this.#kept.keys();
    if (this.#kept.size > KEPT_CALLS && longestKept !== undefined) this.#kept.delete(longestKept);
  }
}

interface JournalRow {
  readonly seq: number;
  readonly body: unknown;
  readonly version: number;
}

interface SnapshotRow {
  readonly last_seq: number;
  readonly snapshot: unknown;
}

interface PageRow extends SnapshotRow {
  readonly id: string;
  readonly createdAtMs: number;
}

function readSnapshot({ last_seq: lastSeq, snapshot }: SnapshotRow): Folded {
  const call: unknown = JSON.parse(String(snapshot));
  if (typeof call !== "object" || call === null || !("id" in call)) throw new TypeError("The snapshot holds no call.");
  return { call: call as Call, lastSeq };
}

function idsOf(rows: readonly object[]): string[] {
  return (rows as readonly { id: string }[]).map(({ id }) => id);
}
