import { spawn } from "node:child_process";
import { once } from "node:events";
import { MessageChannel, Worker } from "node:worker_threads";
import { sqliteStore } from "../../src/stores/index.ts";
import type { Store } from "../../src/stores/store.ts";

/**
 * Another process takes the file for itself alone for so long, in milliseconds of the machine. Resolves when it has it;
 * `released` resolves when it has let go.
 */
export async function holdExclusively(path: string, forMs: number): Promise<{ released: Promise<void> }> {
  const program = `
    import { DatabaseSync } from "node:sqlite";
    const database = new DatabaseSync(${JSON.stringify(path)}, { timeout: 5000 });
    database.exec("BEGIN EXCLUSIVE");
    process.stdout.write("held");
    setTimeout(() => { database.exec("ROLLBACK"); database.close(); }, ${forMs});
  `;
  const holder = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const released = once(holder, "close").then(([code]) => {
    if (code !== 0) throw new Error(`The process that held the file ended with ${code}.`);
  });
  await Promise.race([once(holder.stdout, "data"), released]);
  return { released };
}

/** The real store, whose file can be kept from growing: SQLite then says that the disk is full. */
export interface FillableStore {
  readonly store: Store;
  /** From now on the file takes no further page. */
  fill(): void;
  /** There is room again. */
  free(): void;
  /** How often the journal was refused because the disk was full. */
  readonly refusals: number;
}

/** A program for the store's thread that keeps hold of its connection, and runs what it is told on it. */
const PROGRAM = `
  import { DatabaseSync } from "node:sqlite";
  import { workerData } from "node:worker_threads";
  const { exec } = DatabaseSync.prototype;
  const open = new Set();
  DatabaseSync.prototype.exec = function (sql) {
    if (!open.has(this)) exec.call(this, "PRAGMA page_size = 512"); // little room is left in the pages that are there
    open.add(this);
    return exec.call(this, sql);
  };
  workerData.orders.on("message", (sql) => { for (const database of open) exec.call(database, sql); });
  workerData.orders.unref();
  await import(workerData.program);
`;

/** The pragma holds for one connection only, so it is the store's own that is told. */
export function fillableStore(path: string): FillableStore {
  const { port1: remote, port2: orders } = new MessageChannel();
  remote.unref();
  const store = sqliteStore({
    path,
    startWorker: (program, workerData) =>
      new Worker(new URL(`data:text/javascript,${encodeURIComponent(PROGRAM)}`), {
        workerData: { ...workerData, program: program.href, orders },
        transferList: [orders],
        execArgv: [],
      }),
  });
  let refusals = 0;
  return {
    store: {
      ...store,
      async append(callId, events) {
        try {
          return await store.append(callId, events);
        } catch (error) {
          if (String(error).includes("disk is full")) refusals += 1;
          throw error;
        }
      },
      async stop() {
        await store.stop();
        remote.close();
      },
    },
    fill: () => remote.postMessage("PRAGMA max_page_count = 1"), // as low as what is there
    get refusals() {
      return refusals;
    },
    free: () => remote.postMessage("PRAGMA max_page_count = 1000000"),
  };
}
