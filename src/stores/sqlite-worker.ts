import { parentPort, workerData } from "node:worker_threads";
import { putAside } from "./sqlite-file.ts";
import { SqliteJournal } from "./sqlite-journal.ts";
import type { FromThread, Outcome, Request, ToThread, WorkerData } from "./sqlite-protocol.ts";
import { isDamage } from "./sqlite-rescue.ts";

// The thread's program: one message in, one commit, one message out. What an older file lacks is made up for between.

const port = parentPort;
if (!port) throw new Error("This file is started as a thread of the SQLite store.");
const tell = (message: FromThread): void => port.postMessage(message);
const data = workerData as WorkerData;
/** Between two pieces of work that nobody waits for. */
const PAUSE_MS = 5;
/** After one that failed, because somebody else holds the file or the disk is full. */
const LONG_PAUSE_MS = 1_000;

const openOnce = (): SqliteJournal => new SqliteJournal(data, (damage) => tell({ damage }));

/** Opens the file; when it turns out to be damaged, a new one with what can be read of it. */
function open(): SqliteJournal {
  try {
    return openOnce();
  } catch (error) {
    if (!isDamage(error)) throw error;
    putAside(data.path);
    return openOnce();
  }
}

/** Carries out requests; when the file turns out to be damaged, on what can be read of it, in a new one. */
function run(journal: SqliteJournal, requests: readonly Request[]): [SqliteJournal, Outcome[]] {
  try {
    return [journal, journal.run(requests)];
  } catch (error) {
    if (!isDamage(error)) throw error;
    try {
      journal.close();
    } catch {
      // It cannot even be closed well: its log stays beside it.
    }
    putAside(data.path);
    const renewed = openOnce();
    return [renewed, renewed.run(requests)];
  }
}

try {
  let journal = open();
  let later: NodeJS.Timeout | undefined;
  const catchUp = (pauseMs = PAUSE_MS): void => {
    later ??= setTimeout(() => {
      later = undefined;
      try {
        if (journal.catchUp()) catchUp();
      } catch {
        catchUp(LONG_PAUSE_MS); // requests say what is wrong
      }
    }, pauseMs);
  };
  port.on("message", (message: ToThread) => {
    if ("requests" in message) {
      const [held, outcomes] = run(journal, message.requests);
      if (held !== journal) catchUp();
      journal = held;
      return tell({ outcomes });
    }
    clearTimeout(later);
    journal.close();
    tell({ closed: true });
    port.close();
  });
  tell({ opened: true });
  catchUp();
} catch (error) {
  tell({ failed: (error as Error).message });
  port.close();
}
