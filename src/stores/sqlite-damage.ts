import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { DamagedRow } from "./sqlite-protocol.ts";
import type { StoreDamage } from "./store.ts";

/** So many calls are named; the rest is a number. */
const MOST_NAMED = 20;
/** The files that SQLite keeps beside one. */
const BESIDE = ["-wal", "-shm", "-journal"];

/**
 * Rows that cannot be read, in one SQLite file: each is moved out of the way with its bytes as they are. What a journal
 * lost keeps its place there, so that no later entry takes its seq.
 */
export class SqliteDamage {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #tell: (damage: DamagedRow) => void;
  readonly #moveEntry: StatementSync;
  readonly #blankEntry: StatementSync;
  readonly #moveSnapshot: StatementSync;
  readonly #blankSnapshot: StatementSync;
  readonly #forget: StatementSync;
  #found: DamagedRow[] = [];

  constructor(database: DatabaseSync, path: string, tell: (damage: DamagedRow) => void) {
    this.#database = database;
    this.#path = path;
    this.#tell = tell;
    const move = (from: string) => database.prepare(`INSERT INTO damaged (call_id, seq, reason, body) ${from}`);
    this.#moveEntry = move("SELECT call_id, seq, ?, body FROM journal WHERE call_id = ? AND seq = ?");
    this.#blankEntry = database.prepare("UPDATE journal SET type = '', body = '' WHERE call_id = ? AND seq = ?");
    this.#moveSnapshot = move("SELECT id, NULL, ?, snapshot FROM calls WHERE id = ?");
    this.#blankSnapshot = database.prepare("UPDATE calls SET last_seq = -1, snapshot = '' WHERE id = ?");
    this.#forget = database.prepare("DELETE FROM damaged WHERE call_id = ?");
  }

  /** Reads something that may be damaged; if it is, that is said, and it waits to be set aside. */
  guard<T>(where: Omit<DamagedRow, "reason">, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      const damage = { ...where, reason: (error as Error).message };
      if (!this.#found.some(({ callId, seq }) => callId === where.callId && seq === where.seq)) {
        this.#found.push(damage);
        this.#tell(damage);
      }
      return undefined;
    }
  }

  /** Whether something waits to be set aside. */
  get isFound(): boolean {
    return this.#found.length > 0;
  }

  /** Sets aside what was found, inside the caller's transaction. Says which calls have lost their snapshot. */
  setAside(): readonly string[] {
    for (const { callId, seq, reason } of this.#found) {
      if (seq === undefined) {
        this.#moveSnapshot.run(reason, callId);
        this.#blankSnapshot.run(callId);
      } else {
        this.#moveEntry.run(reason, callId, seq);
        this.#blankEntry.run(callId, seq);
      }
    }
    return this.#found.filter(({ seq }) => seq === undefined).map(({ callId }) => callId);
  }

  /** What was found is set aside, durably. */
  settled(): void {
    this.#found = [];
  }

  /** Throws away what was set aside of a call. */
  forget(callId: string): void {
    this.#forget.run(callId);
  }

  report(): StoreDamage {
    const { rows } = this.#database.prepare("SELECT count(*) AS rows FROM damaged").get() as { rows: number };
    const calls = this.#database
      .prepare(`SELECT DISTINCT call_id FROM damaged ORDER BY call_id LIMIT ${MOST_NAMED}`)
      .all() as { call_id: string }[];
    return { rows, callIds: calls.map(({ call_id }) => call_id), files: damagedFiles(this.#path) };
  }

  /** Throws away everything that was set aside. */
  drop(): number {
    const { changes } = this.#database.prepare("DELETE FROM damaged").run();
    const files = damagedFiles(this.#path);
    for (const file of files) removeFile(file);
    return Number(changes) + files.length;
  }
}

/** Where the next file that is no store any more goes: beside the store, under a name that is free. */
export function damagedName(path: string): string {
  for (let number = 1; ; number++) {
    const name = `${path}.damaged-${number}`;
    if (!existsSync(name)) return name;
  }
}

/** All files that belong to one of SQLite's. */
export function withBeside(path: string): string[] {
  return [path, ...BESIDE.map((ending) => path + ending)];
}

// --- Internal helpers ---

function damagedFiles(path: string): string[] {
  const folder = dirname(path);
  return readdirSync(folder)
    .filter((name) => name.startsWith(`${basename(path)}.damaged-`) && !BESIDE.some((ending) => name.endsWith(ending)))
    .sort()
    .map((name) => join(folder, name));
}

function removeFile(path: string): void {
  for (const file of withBeside(path)) rmSync(file, { force: true });
}
