import { type Clock, sleep } from "../core/clock.ts";
import type { ResponseOrder } from "../engines/engine.ts";
import type { Logger } from "../hosts/host.ts";
import { NO_ANSWER } from "./phrases.ts";
import type { Waiting } from "./waiting.ts";

/** A turn of the caller, for the agent. */
export interface CallerTurn {
  /** Names the turn: told twice, it is answered once. */
  readonly turnId: string;
  readonly text: string;
}

/** Has the agent take a turn; its words come as they are ready to be spoken. @throws HostError the agent failed */
export type AskAgent = (turn: CallerTurn, onWords: (words: string) => void, signal: AbortSignal) => Promise<void>;

export interface AgentBrainParts {
  readonly ask: AskAgent;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly callId: string;
  /** Has the model speak. */
  readonly respond: (order: ResponseOrder) => void;
  /** What the caller waits for: the agent as for a tool, then the model's voice. */
  readonly waiting: Pick<Waiting, "answerDue" | "toolStarted" | "toolFinished">;
}

const NO_ANSWER_ORDER: ResponseOrder = { cause: "turn", instructions: NO_ANSWER };
/** A turn whose words do not come in time is given up: there is nothing to be told. */
const WORDS_WITHIN_MS = 6_000;

/**
 * Who thinks when the OpenClaw agent itself converses: each turn of the caller is a message to the agent, and its reply
 * is spoken as it comes. One turn at a time; a newer one, or an interruption, ends what is still to be said.
 */
export class AgentBrain {
  readonly #parts: AgentBrainParts;
  readonly #words = new Map<string, PromiseWithResolvers<string>>();
  #running: AbortController | undefined;

  constructor(parts: AgentBrainParts) {
    this.#parts = parts;
  }

  /** A turn of the caller is over and wants an answer. Its words may still be on their way. */
  answer(itemId: string): void {
    this.stop();
    const abort = new AbortController();
    this.#running = abort;
    void this.#take(itemId, abort);
  }

  /** The final words of a turn came; empty when there are none. */
  words(itemId: string, text: string): void {
    this.#of(itemId).resolve(text);
    for (const old of this.#words.keys()) if (this.#words.size > 8) this.#words.delete(old);
  }

  /** Nothing more of the present turn is to be said. */
  stop(): void {
    this.#running?.abort(new Error("The caller has moved on."));
    this.#running = undefined;
  }

  async #take(itemId: string, abort: AbortController): Promise<void> {
    const { ask, callId, logger } = this.#parts;
    const { signal } = abort;
    const ready = this.#think();
    try {
      const text = (await this.#wordsOf(itemId, signal)).trim();
      if (text === "" || signal.aborted) return;
      let spoke = false;
      await ask(
        { turnId: `${callId}:${itemId}`, text },
        (words) => {
          if (signal.aborted || words.trim() === "") return;
          spoke = true;
          this.#say({ cause: "reply", text: words });
          ready();
        },
        signal,
      );
      if (!spoke && !signal.aborted) this.#say(NO_ANSWER_ORDER);
    } catch (error) {
      if (signal.aborted) return;
      logger.warn("The agent did not answer a turn.", { callId, error: String(error) });
      this.#say(NO_ANSWER_ORDER);
    } finally {
      if (this.#running === abort) this.#running = undefined;
      ready();
    }
  }

  #say(order: ResponseOrder): void {
    this.#parts.waiting.answerDue(this.#parts.clock.now());
    this.#parts.respond(order);
  }

  /** From now on the caller waits for the agent, until the returned function is called. */
  #think(): () => void {
    let thinks = true;
    const { waiting, clock } = this.#parts;
    waiting.toolStarted(clock.now());
    return () => {
      if (thinks) waiting.toolFinished(clock.now());
      thinks = false;
    };
  }

  async #wordsOf(itemId: string, signal: AbortSignal): Promise<string> {
    const enough = new AbortController();
    const limit = sleep(this.#parts.clock, WORDS_WITHIN_MS, AbortSignal.any([signal, enough.signal])).then(
      () => "",
      () => "", // the turn was given up, or its words came
    );
    try {
      return await Promise.race([this.#of(itemId).promise, limit]);
    } finally {
      enough.abort();
      this.#words.delete(itemId);
    }
  }

  #of(itemId: string): PromiseWithResolvers<string> {
    const known = this.#words.get(itemId) ?? Promise.withResolvers<string>();
    this.#words.set(itemId, known);
    return known;
  }
}
