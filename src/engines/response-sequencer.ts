import type { ResponseCause, ResponseOrder } from "./engine.ts";

/** What the sequencer does to the engine's socket. */
export interface SequencerCommands {
  /** Sends `response.create`; the event id comes back in an error that concerns it. */
  create(order: ResponseOrder, eventId: string): void;
  /** Sends `response.cancel` for one response. */
  cancel(responseId: string): void;
}

interface Running {
  readonly order: ResponseOrder;
  readonly eventId: string;
  /** Absent until the engine has named it. */
  responseId?: string;
  /** Whether it was stopped; before it has a name, the cancel follows as soon as it gets one. */
  stopped: boolean;
}

/**
 * The one owner of `response.create`. The engine runs one response at a time and answers a second request with an
 * error, so orders wait here: for the running response to end, and for the caller to finish speaking.
 */
export class ResponseSequencer {
  readonly #commands: SequencerCommands;
  #waiting: ResponseOrder[] = [];
  #running: Running | undefined;
  /** A response that the engine runs and we did not ask for. */
  #foreign: { readonly responseId: string; stopped: boolean } | undefined;
  #held = false;
  #count = 0;

  constructor(commands: SequencerCommands) {
    this.#commands = commands;
  }

  /** Whether a response runs or waits to run. */
  get busy(): boolean {
    return this.#running !== undefined || this.#foreign !== undefined || this.#waiting.length > 0;
  }

  /** Asks for a response. One that answers the caller replaces an older one that still waits to do so. */
  request(order: ResponseOrder): void {
    if (answersCaller(order)) this.#waiting = this.#waiting.filter(({ cause }) => cause !== order.cause);
    this.#waiting.push(order);
    this.#next();
  }

  /** While held nothing begins: nothing is said over a human. */
  hold(held: boolean): void {
    this.#held = held;
    if (!held) this.#next();
  }

  /** Stops the running response and forgets what waits, but for texts that must be said. */
  stop(): void {
    this.#waiting = this.#waiting.filter(({ cause }) => cause === "say");
    for (const response of [this.#foreign, this.#running]) {
      if (!response || response.stopped) continue;
      response.stopped = true;
      if (response.responseId !== undefined) this.#commands.cancel(response.responseId);
    }
  }

  /** The engine began a response. Says what for, or `engine` when nobody here asked. */
  created(responseId: string): ResponseCause | "engine" {
    const running = this.#running;
    if (!running || running.responseId !== undefined) {
      this.#foreign = { responseId, stopped: false };
      return "engine";
    }
    running.responseId = responseId;
    if (running.stopped) this.#commands.cancel(responseId);
    return running.order.cause;
  }

  /** Whether a response was stopped: late pieces of it are not to be heard. */
  isStopped(responseId: string): boolean {
    return [this.#foreign, this.#running].some((one) => one?.responseId === responseId && one.stopped);
  }

  /** The engine ended a response. */
  ended(responseId: string): void {
    if (this.#foreign?.responseId === responseId) this.#foreign = undefined;
    if (this.#running?.responseId === responseId) this.#running = undefined;
    this.#next();
  }

  /**
   * The engine refused a `response.create`. When it was busy with a response of its own the order waits for that
   * one's end (`conversation_already_has_active_response`); otherwise the order is lost. Says whether it was ours.
   */
  refused(eventId: string, busy: boolean): boolean {
    const running = this.#running;
    if (running?.eventId !== eventId) return false;
    // The response that came meanwhile, and was taken for the ordered one, is what keeps the engine busy.
    const { order, responseId, stopped } = running;
    if (responseId !== undefined) this.#foreign = { responseId, stopped };
    this.#running = undefined;
    if (busy && !stopped) {
      if (!this.#replaced(order)) this.#waiting.unshift(order);
      if (this.#foreign === undefined) return true; // its end will be told and starts the next
    }
    this.#next();
    return true;
  }

  /** Whether a newer order does what this one was to do. */
  #replaced(order: ResponseOrder): boolean {
    return answersCaller(order) && this.#waiting.some(({ cause }) => cause === order.cause);
  }

  #next(): void {
    if (this.#running || this.#foreign || this.#held) return;
    const order = this.#waiting.shift();
    if (!order) return;
    this.#count += 1;
    this.#running = { order, eventId: `order_${this.#count}`, stopped: false };
    this.#commands.create(order, this.#running.eventId);
  }
}

// --- Internal helpers ---

const answersCaller = ({ cause }: ResponseOrder): boolean => cause === "turn" || cause === "tool";
