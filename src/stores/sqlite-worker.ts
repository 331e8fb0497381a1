import { parentPort, workerData } from "node:worker_threads";
import { SqliteJournal } from "./sqlite-journal.ts";
import type { FromThread, ToThread } from "./sqlite-protocol.ts";

// The thread's program: one message in, one commit, one message out.

const port = parentPort;
if (!port) throw new Error("This file is started as a thread of the SQLite store.");
const tell = (message: FromThread): void => port.postMessage(message);

try {
  const { path } = workerData as { path: string };
  const journal = new SqliteJournal(path, (damage) => tell({ damage }));
  port.on("message", (message: ToThread) => {
    if ("requests" in message) return tell({ outcomes: journal.run(message.requests) });
    journal.close();
    tell({ closed: true });
    port.close();
  });
  tell({ opened: true });
} catch (error) {
  tell({ failed: (error as Error).message });
  port.close();
}
