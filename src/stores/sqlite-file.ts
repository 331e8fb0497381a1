import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MIGRATIONS } from "./schema.ts";

/**
 * How long a request waits for another process's lock. One running commit and one queued behind it may each wait so
 * long when the store stops, and the host gives a stop 4 s.
 */
const BUSY_TIMEOUT_MS = 1_500;

/** Past this a checkpoint cuts the log's file back. */
const LOG_FILE_BYTES = 64 * 1024 * 1024;

/**
 * Opens or creates the file, readable by its owner alone, and takes it to the newest schema.
 * @throws Error it is no database, it is of a later version, or the disk says no
 */
export function openFile(path: string): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600)); // made here, because SQLite would follow the umask; its -wal follows this file
  chmodSync(path, 0o600);
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false });
  try {
    database.exec(`
      PRAGMA trusted_schema = OFF;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA journal_size_limit = ${LOG_FILE_BYTES};
    `);
    while (stepForward(database));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Closes at once: the log is only folded into the file when nobody is in the way. */
export function closeFile(database: DatabaseSync): void {
  database.exec("PRAGMA busy_timeout = 0");
  database.close();
}

// --- Internal helpers ---

/** Takes one step of the schema, in a transaction of its own; another process may be taking the same one. */
function stepForward(database: DatabaseSync): boolean {
  database.exec("BEGIN IMMEDIATE");
  try {
    const { user_version: taken } = database.prepare("PRAGMA user_version").get() as { user_version: number };
    if (taken > MIGRATIONS.length) throw new Error(`it was written by a later version (its schema is number ${taken})`);
    const step = MIGRATIONS[taken];
    if (step !== undefined) database.exec(`${step}; PRAGMA user_version = ${taken + 1}`);
    database.exec("COMMIT");
    return step !== undefined;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
