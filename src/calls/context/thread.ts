import { Worker } from "node:worker_threads";
import { NotRunningError } from "../../core/errors.ts";
import type { Logger } from "../../hosts/host.ts";
import { type Filled, fillUncounted, type Source } from "./fill.ts";
import type { BadFrontMatter, FrontMatter } from "./front-matter.ts";
import { loadWork, type Task, type TaskResult, type Work } from "./work.ts";

/** What the thread is asked. */
export interface ThreadOrder {
  readonly id: number;
  readonly task: Task;
}

/** What the thread answers. */
export interface ThreadAnswer {
  readonly id: number;
  readonly result: TaskResult;
}

/** The program lies beside this file: as source while we run from source, as its own entry in the built package. */
const PROGRAM = new URL(import.meta.url.endsWith(".ts") ? "./fill-worker.ts" : "./fill-worker.js", import.meta.url);

/**
 * Counts tokens and reads front matter in a thread of its own, so that no call's sound waits for it. The thread starts
 * with the first task; if it fails, the work goes on in this thread, and the log says so.
 */
export class ContextThread {
  readonly #logger: Logger;
  readonly #program: URL;
  readonly #waiting = new Map<number, PromiseWithResolvers<TaskResult>>();
  #worker: Worker | undefined;
  #here: Promise<Work> | undefined;
  #closed = false;
  #lastId = 0;

  constructor(logger: Logger, program = PROGRAM) {
    this.#logger = logger;
    this.#program = program;
  }

  /** As `fill`. What fits without counting starts no thread. @throws NotRunningError closed, before or meanwhile */
  async fill(sources: readonly Source[], budgetTokens: number): Promise<Filled> {
    if (this.#closed) throw new NotRunningError();
    const uncounted = fillUncounted(sources, budgetTokens);
    if (uncounted) return uncounted;
    return (await this.#do({ kind: "fill", sources, budgetTokens })) as Filled;
  }

  /** What a block of front matter says. @throws NotRunningError closed, before or meanwhile */
  async readFrontMatter(block: string): Promise<FrontMatter | BadFrontMatter> {
    if (this.#closed) throw new NotRunningError();
    return (await this.#do({ kind: "front-matter", block })) as FrontMatter | BadFrontMatter;
  }

  /** Ends the thread. What still waits is rejected. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#fail(new NotRunningError());
    await worker?.terminate();
  }

  async #do(task: Task): Promise<TaskResult> {
    if (!this.#here) {
      try {
        return await this.#doInThread(task);
      } catch (error) {
        if (this.#closed) throw new NotRunningError();
        // Whoever waited beside this task has been told as well; once is enough for the log.
        if (!this.#here) {
          this.#logger.warn("counting tokens on the main thread: the thread for it failed", { error });
        }
        this.#here ??= loadWork();
      }
    }
    return (await this.#here)(task);
  }

  #doInThread(task: Task): Promise<TaskResult> {
    this.#worker ??= this.#start();
    const order: ThreadOrder = { id: ++this.#lastId, task };
    const answer = Promise.withResolvers<TaskResult>();
    this.#waiting.set(order.id, answer);
    this.#worker.ref(); // a program that awaits its context must not end under it
    this.#worker.postMessage(order);
    return answer.promise;
  }

  #start(): Worker {
    // No flags of the process's command line: they may name loaders that a thread has not.
    const worker = new Worker(this.#program, { execArgv: [], name: "voice-context" });
    worker.on("message", ({ id, result }: ThreadAnswer) => {
      this.#waiting.get(id)?.resolve(result);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) worker.unref();
    });
    worker.on("error", (error) => this.#fail(error));
    worker.on("messageerror", (error) => {
      this.#fail(error);
      void worker.terminate();
    });
    worker.on("exit", () => this.#fail(new Error("the thread has ended")));
    return worker;
  }

  #fail(error: Error): void {
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
