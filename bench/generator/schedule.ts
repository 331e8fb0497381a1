import { performance } from "node:perf_hooks";
import type { Samples } from "../statistics.ts";

/** Work that is due at a time. Objects are used again and again: nothing is made fifty times a second and call. */
export interface Task {
  /** Does the work and says when it is due again; `undefined`: no more. */
  run(nowMs: number): number | undefined;
}

/** Work that is later than this is not spread over turns of the event loop any more. */
const SPREAD_UP_TO_MS = 2;

/**
 * Runs tasks on time. Tasks that are due together run in separate turns of the event loop, so that what a socket
 * brings meanwhile is read, and timed, at once.
 */
export class Schedule {
  /** A binary heap by time. */
  readonly #due: number[] = [];
  readonly #tasks: Task[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isTurning = false;
  /** Takes how late each task began, in milliseconds, while it is set. */
  lag: Samples | undefined;

  now(): number {
    return performance.now();
  }

  at(dueMs: number, task: Task): void {
    this.#push(dueMs, task);
    this.#arm();
  }

  /** Calls `action` once, `delayMs` from now. */
  after(delayMs: number, action: () => void): void {
    const run = () => {
      action();
      return undefined;
    };
    this.at(this.now() + delayMs, { run });
  }

  /** Forgets everything. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due.length = 0;
    this.#tasks.length = 0;
  }

  #arm(): void {
    if (this.#isTurning || this.#due.length === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#turn, Math.max(1, (this.#due[0] as number) - this.now()));
  }

  readonly #turn = (): void => {
    this.#isTurning = true;
    for (;;) {
      const now = this.now();
      const due = this.#due[0];
      if (due === undefined || due > now) break;
      const task = this.#pop();
      this.lag?.add(now - due);
      const again = task.run(now);
      if (again !== undefined) this.#push(again, task);
      const next = this.#due[0];
      if (next !== undefined && next <= now && now - next < SPREAD_UP_TO_MS) {
        setImmediate(this.#turn);
        return;
      }
    }
    this.#isTurning = false;
    this.#arm();
  };

  #push(dueMs: number, task: Task): void {
    const due = this.#due;
    const tasks = this.#tasks;
    let at = due.length;
    due.push(dueMs);
    tasks.push(task);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((due[parent] as number) <= dueMs) break;
      due[at] = due[parent] as number;
      tasks[at] = tasks[parent] as Task;
      at = parent;
    }
    due[at] = dueMs;
    tasks[at] = task;
  }

  #pop(): Task {
    const due = this.#due;
    const tasks = this.#tasks;
    const first = tasks[0] as Task;
    const lastDue = due.pop() as number;
    const lastTask = tasks.pop() as Task;
    const count = due.length;
    if (count === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      if (child + 1 < count && (due[child + 1] as number) < (due[child] as number)) child += 1;
      if ((due[child] as number) >= lastDue) break;
      due[at] = due[child] as number;
      tasks[at] = tasks[child] as Task;
      at = child;
    }
    due[at] = lastDue;
    tasks[at] = lastTask;
    return first;
  }
}
