import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Call } from "../core/call.ts";
import { type Folded, foldNext, isCall, isFinished, isListedAlike, listing, NOTHING, readEvent } from "./folded.ts";
import type { PageQuery } from "./page.ts";
import type { Damage, Verbs } from "./sqlite-protocol.ts";

/** A call as folded, and how much of that its row in `calls` holds. */
interface Stored extends Folded {
  readonly savedSeq: number;
}

/** Between two changes that lists can see, a row may fall behind its journal by so many entries. */
const SAVE_EVERY = 32;

/** Open calls are kept folded; past this many the longest kept is read anew when it is needed. */
const KEPT_CALLS = 1_000;

/**
 * Journals and the calls they fold to, in one SQLite file. Writing happens inside the caller's transaction; when that
 * is lost, `forget` what was folded.
 */
export class SqliteCalls {
  readonly #database: DatabaseSync;
  readonly #onDamage: (damage: Damage) => void;
  readonly #kept = new Map<string, Stored>();
  readonly #insert: StatementSync;
  readonly #entries: StatementSync;
  readonly #row: StatementSync;
  readonly #save: StatementSync;

  constructor(database: DatabaseSync, onDamage: (damage: Damage) => void) {
    this.#database = database;
    this.#onDamage = onDamage;
    this.#insert = database.prepare("INSERT INTO journal (call_id, seq, at_ms, type, body) VALUES (?, ?, ?, ?, ?)");
    this.#entries = database.prepare("SELECT seq, body FROM journal WHERE call_id = ? AND seq > ? ORDER BY seq");
    this.#row = database.prepare("SELECT last_seq, snapshot FROM calls WHERE id = ?");
    this.#save = database.prepare(`
      INSERT OR REPLACE INTO calls (id, account_id, caller, state, created_at_ms, unfinished, last_seq, snapshot)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    `);
  }

  append({ callId, bodies }: Verbs["append"]["order"]): number {
    const before = this.#load(callId);
    let after: Folded = before;
    for (const body of bodies) {
      const event = readEvent(body);
      after = foldNext(after, after.lastSeq + 1, event);
      this.#insert.run(callId, after.lastSeq, event.atMs, event.type, body);
    }
    if (after !== before) this.#keep(callId, this.#saveIfDue(callId, before, after));
    return after.lastSeq;
  }

  journal({ callId, afterSeq }: Verbs["journal"]["order"]): string {
    const entries: string[] = [];
    for (const { seq, body } of this.#entries.iterate(callId, afterSeq) as Iterable<JournalRow>) {
      if (this.#guard({ callId, seq }, () => readEvent(body))) entries.push(`{"seq":${seq},"event":${body}}`);
    }
    return `[${entries.join(",")}]`;
  }

  call({ callId }: Verbs["call"]["order"]): string | undefined {
    const stored = this.#load(callId);
    return isCall(stored) ? JSON.stringify(stored.call) : undefined;
  }

  calls({ accountId, caller, only, limit, after }: PageQuery): Verbs["calls"]["result"] {
    const conditions = ["last_seq >= 0"];
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

  /** Folds the calls anew whose rows a step of the schema has declared old. */
  refold(): void {
    const rows = this.#database.prepare("SELECT id FROM calls WHERE last_seq < 0").all() as unknown as { id: string }[];
    for (const { id } of rows) this.#write(id, this.#foldOn(id, NOTHING));
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
    const saved = (row && row.last_seq >= 0 && this.#guard({ callId }, () => readSnapshot(row))) || NOTHING;
    return { ...this.#foldOn(callId, saved), savedSeq: saved.lastSeq };
  }

  /** Folds what the journal holds beyond `from`. A row that is damaged is passed over, and said. */
  #foldOn(callId: string, from: Folded): Folded {
    let folded = from;
    for (const { seq, body } of this.#entries.iterate(callId, from.lastSeq) as Iterable<JournalRow>) {
      const next = this.#guard({ callId, seq }, () => foldNext(folded, seq, readEvent(body)));
      folded = next ?? { ...folded, lastSeq: seq };
    }
    return folded;
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
    const { accountId, caller, state, createdAtMs, unfinished } = listing(call);
    const snapshot = JSON.stringify(call);
    this.#save.run(callId, accountId, caller, state, createdAtMs, unfinished ? 1 : 0, lastSeq, snapshot);
  }

  #keep(callId: string, stored: Stored): void {
    this.#kept.delete(callId);
    if (isFinished(stored.call)) return;
    this.#kept.set(callId, stored);
    const [longestKept] = this.#kept.keys();
    if (this.#kept.size > KEPT_CALLS && longestKept !== undefined) this.#kept.delete(longestKept);
  }

  #guard<T>(where: Omit<Damage, "reason">, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      this.#onDamage({ ...where, reason: (error as Error).message });
      return undefined;
    }
  }
}

interface JournalRow {
  readonly seq: number;
  readonly body: unknown;
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
