import { Worker } from "node:worker_threads";
import type { Damage, FromThread, Outcome, Request, ToThread, WorkerData } from "./sqlite-protocol.ts";

/** The thread that holds the file. One thing is asked of it at a time. */
export interface SqliteThread {
  /** @throws Error the thread ended before it answered; whether the requests were carried out is unknown */
  run(requests: readonly Request[]): Promise<readonly Outcome[]>;
  /** Closes the file and ends the thread. */
  close(): Promise<void>;
}

/** Starts the thread's program with what it is told. */
export type StartWorker = (program: URL, workerData: WorkerData) => Worker;

/** A worker of our own process: no flags of the process's command line, which may name loaders that it has not. */
export const startWorker: StartWorker = (program, workerData) =>
  new Worker(program, { workerData, execArgv: [], name: "voice-store" });

/** The program lies beside this file: as source while we run from source, as its own entry in the built package. */
const PROGRAM = new URL(import.meta.url.endsWith(".ts") ? "./sqlite-worker.ts" : "./sqlite-worker.js", import.meta.url);

/**
 * Starts the thread and opens the file. The thread keeps the process alive only while it has something to do.
 * @throws Error the file cannot be opened, or the thread does not start
 */
export async function openThread(
  data: WorkerData,
  start: StartWorker,
  onDamage: (damage: Damage) => void,
): Promise<SqliteThread> {
  const worker = start(PROGRAM, data);
  let waiting: PromiseWithResolvers<FromThread> | undefined = Promise.withResolvers<FromThread>();
  let fault: Error | undefined;
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));

  const answer = (message: FromThread): void => {
    worker.unref();
    waiting?.resolve(message);
    waiting = undefined;
  };
  const fail = (error: Error): void => {
    fault ??= error;
    waiting?.reject(fault);
    waiting = undefined;
  };
  worker.on("message", (message: FromThread) => ("damage" in message ? onDamage(message.damage) : answer(message)));
  worker.on("error", (cause) => fail(new Error(`its thread failed: ${cause.message}`, { cause })));
  worker.on("messageerror", (cause) => {
    fail(new Error(`its thread could not be understood: ${cause.message}`, { cause }));
    void worker.terminate();
  });
  worker.on("exit", () => fail(new Error("its thread has ended")));

  const ask = (message: ToThread): Promise<FromThread> => {
    if (fault) return Promise.reject(fault);
    waiting = Promise.withResolvers<FromThread>();
    worker.ref(); // a program that awaits a commit must not end under it
    worker.postMessage(message);
    return waiting.promise;
  };

  const opened = await waiting.promise;
  if ("failed" in opened) {
    await worker.terminate();
    throw new Error(opened.failed);
  }
  return {
    async run(requests) {
      const reply = await ask({ requests });
      if (!("outcomes" in reply)) throw new Error("its thread answered something else");
      return reply.outcomes;
    },
    async close() {
      await ask({ close: true }).catch(() => undefined); // ended already: there is nothing left to close
      await worker.terminate();
      await exited;
    },
  };
}
