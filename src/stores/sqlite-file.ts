import { chmodSync, closeSync, existsSync, mkdirSync, openSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MIGRATIONS } from "./schema.ts";
import { damagedName, withBeside } from "./sqlite-damage.ts";
import type { DamagedFile, Durability, WorkerData } from "./sqlite-protocol.ts";
import { DamagedFileError, isDamage, rescue } from "./sqlite-rescue.ts";

/**
 * How long a request waits for another process's lock. One running commit and one queued behind it may each wait so
 * long when the store stops, and the host gives a stop 4 s.
 */
const BUSY_TIMEOUT_MS = 1_500;

/** Past this a checkpoint cuts the log's file back. */
const LOG_FILE_BYTES = 64 * 1024 * 1024;

/** No version of ours ever takes so many steps: a file that says so is damaged. */
const MOST_STEPS = 10_000;

/**
 * FULL waits for the disk at every commit, NORMAL only when the log is folded in: the last commits go with the power.
 * `npm run bench -- store`, 150 calls on two busy cores: a commit takes 5.4 ms with FULL and 1.4 ms with NORMAL (99th
 * percentile 90 and 56), CPU is 0.25 and 0.21 ms per call and second. Nobody on the telephone hears the difference,
 * because all calls share a commit in a thread of its own and sound waits for none; what was acknowledged stays. So FULL.
 */
const SYNCHRONOUS: Readonly<Record<Durability, string>> = { full: "FULL", normal: "NORMAL" };

/**
 * Opens or creates the file, readable by its owner alone, and takes it to the newest schema. A file that is damaged,
 * or no database at all, never keeps the phone from working: it is put aside as it is, and what can be read of it is
 * taken over into a new one.
 * @throws Error it is of a later version, or the disk says no
 */
export function openFile({ path, durability }: WorkerData, onDamage: (damage: DamagedFile) => void): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const database = openOrPutAside(path, durability);
  try {
    takeOver(path, database, onDamage);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Puts a damaged file where the next `openFile` finds it and takes over what can be read. It must be closed. */
export function putAside(path: string): void {
  const waiting = `${path}.rescue`;
  if (existsSync(waiting)) moveFile(waiting, damagedName(path)); // a rescue that met damage again: this is the older file
  moveFile(path, waiting);
}

/** Closes at once: the log is only folded into the file when nobody is in the way. */
export function closeFile(database: DatabaseSync): void {
  database.exec("PRAGMA busy_timeout = 0");
  database.close();
}

// --- Internal helpers ---

function openOrPutAside(path: string, durability: Durability): DatabaseSync {
  try {
    return openWhole(path, durability);
  } catch (error) {
    if (!isDamage(error)) throw error;
    putAside(path);
    return openWhole(path, durability);
  }
}

/** A process that is killed here begins again: the file keeps its name until everything is taken over. */
function takeOver(path: string, database: DatabaseSync, onDamage: (damage: DamagedFile) => void): void {
  const waiting = `${path}.rescue`;
  if (!existsSync(waiting)) return;
  const savedRows = rescue(waiting, database);
  const file = damagedName(path);
  moveFile(waiting, file);
  onDamage({ file, savedRows });
}

function moveFile(from: string, to: string): void {
  const targets = withBeside(to);
  // The file itself last: until then the next start finds it, and does the rest.
  const moves = withBeside(from).map((file, index) => [file, targets[index] as string] as const);
  for (const [file, target] of moves.reverse()) if (existsSync(file)) renameSync(file, target);
}

function openWhole(path: string, durability: Durability): DatabaseSync {
  closeSync(openSync(path, "a", 0o600)); // made here, because SQLite would follow the umask; its -wal follows this file
  chmodSync(path, 0o600);
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false });
  try {
    database.exec(`
      PRAGMA trusted_schema = OFF;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${SYNCHRONOUS[durability]};
      PRAGMA secure_delete = ON;
      PRAGMA journal_size_limit = ${LOG_FILE_BYTES};
    `);
    while (stepForward(database));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Takes one step of the schema, in a transaction of its own; another process may be taking the same one. */
function stepForward(database: DatabaseSync): boolean {
  database.exec("BEGIN IMMEDIATE");
  try {
    const { user_version: taken } = database.prepare("PRAGMA user_version").get() as { user_version: number };
    if (taken < 0 || taken > MOST_STEPS) throw new DamagedFileError("its header is damaged");
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
