import { parentPort } from "node:worker_threads";
import type { ThreadAnswer, ThreadOrder } from "./thread.ts";
import { loadWork } from "./work.ts";

// The thread's program: one order in, one answer out.

const port = parentPort;
if (!port) throw new Error("This file is started as a thread of the context manager.");

const work = await loadWork();
port.on("message", ({ id, task }: ThreadOrder) => {
  const answer: ThreadAnswer = { id, result: work(task) };
  port.postMessage(answer);
});
