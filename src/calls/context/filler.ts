import { Worker } from "node:worker_threads";
import { NotRunningError } from "../../core/errors.ts";
import type { Logger } from "../../hosts/host.ts";
import { type Filled, fill, fillUncounted, type Source, type Tokenizer } from "./fill.ts";
import { loadTokenizer } from "./tokenizer.ts";

/** What the thread is asked. */
export interface FillOrder {
  readonly id: number;
  readonly sources: readonly Source[];
  readonly budgetTokens: number;
}

/** What the thread answers. */
export interface FillAnswer {
  readonly id: number;
  readonly filled: Filled;
}

/** The program lies beside this file: as source while we run from source, as its own entry in the built package. */
const PROGRAM = new URL(import.meta.url.endsWith(".ts") ? "./fill-worker.ts" : "./fill-worker.js", import.meta.url);

/**
 * Fills budgets in a thread of its own, so that no call's sound waits for a tokeniser. The thread starts with the first
 * order that takes counting; if it fails, counting goes on in this thread, and the log says so.
 */
export class BudgetFiller {
  readonly #logger: Logger;
  readonly #program: URL;
  readonly #waiting = new Map<number, PromiseWithResolvers<Filled>>();
  #worker: Worker | undefined;
  #here: Promise<Tokenizer> | undefined;
  #closed = false;
  #lastId = 0;

  constructor(logger: Logger, program = PROGRAM) {
    this.#logger = logger;
    this.#program = program;
  }

  /** As `fill`. @throws NotRunningError closed, before or meanwhile */
  async fill(sources: readonly Source[], budgetTokens: number): Promise<Filled> {
    if (this.#closed) throw new NotRunningError();
    const uncounted = fillUncounted(sources, budgetTokens);
    if (uncounted) return uncounted;
    if (!this.#here) {
      try {
        return await this.#fillInThread(sources, budgetTokens);
      } catch (error) {
        if (this.#closed) throw new NotRunningError();
        this.#logger.warn("counting tokens on the main thread: the thread for it failed", { error });
        this.#here ??= loadTokenizer();
      }
    }
    return fill(sources, budgetTokens, await this.#here);
  }

  /** Ends the thread. What still waits is rejected. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#fail(new NotRunningError());
    await worker?.terminate();
  }

  #fillInThread(sources: readonly Source[], budgetTokens: number): Promise<Filled> {
    this.#worker ??= this.#start();
    const order: FillOrder = { id: ++this.#lastId, sources, budgetTokens };
    const answer = Promise.withResolvers<Filled>();
    this.#waiting.set(order.id, answer);
    this.#worker.ref(); // a program that awaits its context must not end under it
    this.#worker.postMessage(order);
    return answer.promise;
  }

  #start(): Worker {
    // No flags of the process's command line: they may name loaders that a thread has not.
    const worker = new Worker(this.#program, { execArgv: [], name: "voice-context" });
    worker.on("message", ({ id, filled }: FillAnswer) => {
      this.#waiting.get(id)?.resolve(filled);
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
