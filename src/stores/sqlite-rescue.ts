import { DatabaseSync } from "node:sqlite";

/** What a file holds, in the order in which it is taken over, by the columns that name a row. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  calls: ["id"],
  journal: ["call_id", "seq"],
  documents: ["kind", "key"],
  claims: ["key"],
  damaged: ["id"],
};

/** SQLite's words for a file that is damaged, and for one that is none (sqlite.org/rescode.html). */
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

/** Whether an error says that a file is no whole database. */
export function isDamage(error: unknown): boolean {
  if (error instanceof DamagedFileError) return true;
  const { errcode } = error as { readonly errcode?: unknown };
  return typeof errcode === "number" && [CORRUPT, NOT_A_DATABASE].includes(errcode & 0xff);
}

/** A file that opens and yet cannot be what we wrote. */
export class DamagedFileError extends Error {}

/**
 * Copies everything that can still be read of a damaged file into a new, empty one: each table from its beginning and
 * from its end up to the damage, and journals call by call. Resolves with how many rows that were.
 */
export function rescue(from: string, into: DatabaseSync): number {
  let old: DatabaseSync | undefined;
  into.exec("BEGIN IMMEDIATE");
  try {
    // Else SQLite reads nothing of a file that is shorter than its header says. It is ours, and only read.
    old = new DatabaseSync(from, { enableForeignKeyConstraints: false, defensive: false });
    old.exec("PRAGMA writable_schema = ON");
    let saved = 0;
    for (const [table, keys] of Object.entries(TABLES)) saved += copyTable(old, into, table, keys);
    into.exec(`
      INSERT OR IGNORE INTO calls (id, account_id, caller, state, created_at_ms, unfinished, last_seq, snapshot)
        SELECT DISTINCT call_id, '', '', 'lost', 0, 0, -1, '' FROM journal;
      UPDATE calls SET last_seq = -1 WHERE id IN (SELECT call_id FROM journal WHERE seq = 1);
      INSERT OR IGNORE INTO unsearched SELECT id FROM calls;
      COMMIT
    `);
    return saved;
  } catch (error) {
    if (into.isTransaction) into.exec("ROLLBACK");
    if (isDamage(error)) return 0; // not even its list of tables can be read
    throw error;
  } finally {
    if (old) closeDamaged(old);
  }
}

// --- Internal helpers ---

function copyTable(old: DatabaseSync, into: DatabaseSync, table: string, keys: readonly string[]): number {
  const columns = columnsOf(into, table).filter((column) => columnsOf(old, table).includes(column));
  if (columns.length === 0) return 0; // the file is older than the table, or has lost it
  const list = columns.join(", ");
  const put = into.prepare(`INSERT OR IGNORE INTO ${table} (${list}) VALUES (${columns.map(() => "?").join(", ")})`);
  let saved = 0;
  /** Whether it was read to its end. */
  const copy = (rest: string, ...bound: string[]): boolean => {
    try {
      const rows = old.prepare(`SELECT ${list} FROM ${table} ${rest}`);
      for (const row of rows.iterate(...bound)) saved += Number(put.run(...Object.values(row)).changes);
      return true;
    } catch (error) {
      if (isDamage(error)) return false;
      throw error;
    }
  };
  const inOrder = (direction: "ASC" | "DESC") => `ORDER BY ${keys.map((key) => `${key} ${direction}`).join(", ")}`;
  if (copy(inOrder("ASC")) || copy(inOrder("DESC")) || table !== "journal") return saved;
  const calls = into.prepare("SELECT id FROM calls").all() as { id: string }[];
  for (const { id } of calls) {
    const whole = copy(`WHERE call_id = ? ${inOrder("ASC")}`, id);
    if (!whole) copy(`WHERE call_id = ? ${inOrder("DESC")}`, id);
  }
  return saved;
}

function columnsOf(database: DatabaseSync, table: string): string[] {
  const columns = database.prepare(`PRAGMA table_info(${table})`).all() as { name: string }[];
  return columns.map(({ name }) => name);
}

function closeDamaged(old: DatabaseSync): void {
  try {
    old.close();
  } catch {
    // Its log could not be folded in: it stays beside the file as it is.
  }
}
