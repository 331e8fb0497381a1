import type { Clock, Timer } from "../core/clock.ts";
import type { PendingResponse, ResponseCause, ResponseOrder } from "./engine.ts";

/** What the sequencer does to the engine's socket, and by what time. */
export interface SequencerCommands {
  /** Sends `response.create`; the id comes back in the response's label, and in an error that concerns the order. */
  create(order: ResponseOrder, orderId: string): void;
  /** Sends `response.cancel` for one response. */
  cancel(responseId: string): void;
  /** By what the engine is known to be alive. Without it, it is believed to be. */
  readonly watch?: SequencerWatch;
}

/** How long an engine that lives takes at most. */
export interface SequencerWatch {
  readonly clock: Clock;
  /** To begin or to refuse what it was asked for, and to end what was cancelled. */
  readonly answerMs: number;
  /** From one message to the next while a response runs. */
  readonly pauseMs: number;
  /** It has taken longer. */
  overdue(): void;
}

interface Running {
  readonly order: ResponseOrder;
  readonly orderId: string;
  /** Absent until the engine has named it. */
  responseId?: string;
  /** Whether anything of it was told. */
  sounded: boolean;
  /** Whether it was stopped; before it has a name, the cancel follows as soon as it gets one. */
  stopped: boolean;
}

/**
 * The one owner of `response.create`. The engine runs one response at a time and answers a second request with an
 * error, so orders wait here: for the running response to end, and for whoever speaks to finish.
 */
export class ResponseSequencer {
  readonly #commands: SequencerCommands;
  #waiting: ResponseOrder[] = [];
  #running: Running | undefined;
  /** A response that the engine runs and we did not ask for. */
  #foreign: { readonly responseId: string; stopped: boolean } | undefined;
  /** The engine said that it was busy, and nobody knows with what. */
  #blocked = false;
  #held = false;
  #count = 0;
  #timer: Timer | undefined;
  #watched: string | undefined;
  /** Whether the engine has told anything since the watch was set. */
  #isAlive = false;

  constructor(commands: SequencerCommands) {
    this.#commands = commands;
  }

  /** Whether a response runs or waits to run. */
  get busy(): boolean {
    return this.#running !== undefined || this.#foreign !== undefined || this.#waiting.length > 0;
  }

  /** The orders whose response has not ended, the begun one first, without those that were stopped. */
  get pending(): readonly PendingResponse[] {
    const waiting = this.#waiting.map((order) => ({ order }));
    const running = this.#running;
    if (!running || running.stopped) return waiting;
    const { order, responseId } = running;
    return [{ order, ...(responseId !== undefined && { responseId }) }, ...waiting];
  }

  /**
   * Asks for a response. One that answers the caller replaces an older one that still waits to do so; a greeting is
   * given once, and nobody is asked whether they are still there when something is about to be said anyway.
   */
  request(order: ResponseOrder): void {
    if (order.cause === "greeting" && this.pending.some(({ order: { cause } }) => cause === "greeting")) return;
    if (order.cause === "idle" && this.busy) return;
    this.#waiting = this.#waiting.filter((older) => !replaces(order, older));
    this.#waiting.push(order);
    this.#next();
  }

  /** While held nothing begins: nothing is said over a human. */
  hold(held: boolean): void {
    this.#held = held;
    if (!held) this.#next();
  }

  /** Stops the running response and forgets what waits, but for texts that must be said and that nobody heard of. */
  stop(): void {
    this.#waiting = this.#waiting.filter(({ cause }) => cause === "say");
    const running = this.#running;
    if (running && !running.stopped) {
      running.stopped = true;
      if (running.order.cause === "say" && !running.sounded) this.#waiting.unshift(running.order);
      if (running.responseId !== undefined) this.#commands.cancel(running.responseId);
    }
    if (this.#foreign && !this.#foreign.stopped) {
      this.#foreign.stopped = true;
      this.#commands.cancel(this.#foreign.responseId);
    }
    this.#wait();
  }

  /**
   * The engine began a response. Its label tells whose it is; an engine that labels nothing (`undefined`) is taken to
   * begin responses in the order in which they were asked for. Says what for, or `engine` when nobody here asked.
   */
  created(responseId: string, label?: string | null): ResponseCause | "engine" {
    const running = this.#running;
    const isOurs = label === undefined ? running?.responseId === undefined : label === running?.orderId;
    this.#blocked = false;
    if (!running || !isOurs) {
      this.#foreign = { responseId, stopped: false };
      this.#wait();
      return "engine";
    }
    running.responseId = responseId;
    if (running.stopped) this.#commands.cancel(responseId);
    this.#wait();
    return running.order.cause;
  }

  /** Whether a response was stopped: late pieces of it are not to be heard. */
  isStopped(responseId: string): boolean {
    const running = this.#running;
    if (running?.responseId === responseId) return running.stopped;
    return this.#foreign?.responseId === responseId && this.#foreign.stopped;
  }

  /** The engine told something, whatever it was. */
  alive(): void {
    this.#isAlive = true;
  }

  /** A piece of a response came. Says whether it is to be heard. */
  takes(responseId: string): boolean {
    const running = this.#running;
    if (running?.responseId !== responseId) return !this.isStopped(responseId);
    if (!running.stopped) running.sounded = true;
    return !running.stopped;
  }

  /** The engine ended a response. Says what it was to do, unless it was stopped or nobody here had asked. */
  ended(responseId: string): { readonly order?: ResponseOrder; readonly stopped: boolean } {
    const running = this.#running?.responseId === responseId ? this.#running : undefined;
    const stopped = this.isStopped(responseId);
    if (running) this.#running = undefined;
    if (this.#foreign?.responseId === responseId) this.#foreign = undefined;
    this.#blocked = false;
    this.#next();
    return { stopped, ...(running && { order: running.order }) };
  }

  /**
   * The engine refused a `response.create`. When it was busy with a response of its own the order waits for that
   * one's end (`conversation_already_has_active_response`); otherwise the order is lost. Says whether it was ours.
   */
  refused(orderId: string, busy: boolean): boolean {
    const running = this.#running;
    if (running?.orderId !== orderId) return false;
    // The response that came meanwhile, and was taken for the ordered one, is what keeps the engine busy.
    const { order, responseId, stopped } = running;
    if (responseId !== undefined) this.#foreign = { responseId, stopped };
    this.#running = undefined;
    const wanted = !stopped || (order.cause === "say" && !this.#waiting.includes(order));
    if (busy && wanted && !this.#waiting.some((newer) => replaces(newer, order))) this.#waiting.unshift(order);
    this.#blocked = busy && this.#foreign === undefined; // the end of what we do not know will be told
    this.#next();
    return true;
  }

  /** Nothing is asked for or waited for any more. What was pending can still be read. */
  close(): void {
    this.#held = true;
    this.#timer?.stop();
  }

  #next(): void {
    const order = this.#running || this.#foreign || this.#blocked || this.#held ? undefined : this.#waiting.shift();
    if (order) {
      this.#count += 1;
      this.#running = { order, orderId: `order_${this.#count}`, sounded: false, stopped: false };
      this.#commands.create(order, this.#running.orderId);
    }
    this.#wait();
  }

  /** Watches the clock while the engine owes an answer, or the next piece of one. */
  #wait(): void {
    const debt = this.#debt();
    if (debt === this.#watched) return;
    this.#watched = debt;
    this.#setWatch();
  }

  #setWatch(): void {
    this.#timer?.stop();
    this.#timer = undefined;
    const { watch } = this.#commands;
    if (!watch || this.#watched === undefined) return;
    const isRunning = this.#watched.startsWith("run");
    this.#isAlive = false;
    this.#timer = watch.clock.after(isRunning ? watch.pauseMs : watch.answerMs, () => {
      if (isRunning && this.#isAlive) this.#setWatch();
      else watch.overdue();
    });
  }

  /** What the engine is to tell next, if we wait for it. */
  #debt(): string | undefined {
    const running = this.#running;
    if (running && running.responseId === undefined) return `begin ${running.orderId}`;
    if (running?.stopped) return `end ${running.responseId}`;
    if (this.#foreign?.stopped) return `end ${this.#foreign.responseId}`;
    const responseId = running?.responseId ?? this.#foreign?.responseId;
    if (responseId !== undefined) return `run ${responseId}`;
    return this.#blocked ? "end what is unknown" : undefined;
  }
}

// --- Internal helpers ---

const answersCaller = ({ cause }: ResponseOrder): boolean => cause === "turn" || cause === "tool";

/** Whether a newer order does what an older one was to do: any answer takes up all that was said and found out. */
function replaces(newer: ResponseOrder, older: ResponseOrder): boolean {
  if (!answersCaller(newer)) return false;
  return older.cause === "idle" || (answersCaller(older) && (older.cause === newer.cause || !older.instructions));
}
