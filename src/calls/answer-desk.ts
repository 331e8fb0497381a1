import { createHash, randomBytes } from "node:crypto";
import type { Clock, Timer } from "../core/clock.ts";
import { InvalidRequestError } from "../core/errors.ts";
import {
  type AnsweredQuestion,
  type AnswerResult,
  answerQuestion,
  buttonValue,
  expireQuestion,
  type GivenAnswer,
  isAskedOf,
  MOST_OPTIONS,
  type Question,
  type QuestionKind,
  readButtonValue,
} from "../core/questions.ts";
import type { AnswerVerdict, ChannelAnswer, Host, OutgoingMessage } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";
import { QuestionBook, type QuestionOrder } from "./question-book.ts";

/**
 * Does what follows from an answer; resolves with what is said to whoever gave it. May be asked again after it failed or
 * the process was killed: what it has done already it does not do twice.
 */
export type AnswerHandler = (question: AnsweredQuestion, signal: AbortSignal) => Promise<string | undefined>;

export interface AnswerDeskParts {
  readonly host: Pick<Host, "send" | "onAnswer" | "capabilities" | "logger">;
  readonly store: Store;
  readonly clock: Clock;
}

/** How often it is looked for questions whose time is over. */
const SWEEP_EVERY_MS = 60_000;
/** The host holds up a chat until we say what becomes of an answer, 2 s at most: what takes longer goes on without that. */
const CARRIED_OUT_WITHIN_MS = 1_200;
const NAMED_WITHIN_MS = 500;

const REPLIES = {
  answered: "Thank you.",
  repeated: "That has been answered.",
  late: "Too late: the time for this question is over.",
  unfit: "That does not answer the question. Please answer with one of its buttons.",
  closed: "That is no longer open.",
  notYours: "This question was not put to you.",
  failed: "That could not be written down. Please try again in a moment.",
  unfinished: "That is written down, but could not be carried out yet.",
} as const;

/**
 * Puts questions to people in text channels and takes their answers: the one listener of the host's `onAnswer`. Questions
 * are durable, and the first answer counts, once, whatever is pressed or told again later, also after a restart.
 */
export class AnswerDesk {
  readonly #parts: AnswerDeskParts;
  readonly #book: QuestionBook;
  readonly #handlers = new Map<QuestionKind, AnswerHandler>();
  readonly #waiting = new Map<string, (question: AnsweredQuestion | undefined) => void>();
  /** Answers whose consequence is on its way, by question. */
  readonly #following = new Map<string, Promise<string | undefined>>();
  /** Messages that are on their way: until the channel has named one, nobody knows what a reply to it belongs to. */
  readonly #sending = new Set<Promise<unknown>>();
  readonly #busy = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();
  #otherwise: ((answer: ChannelAnswer) => Promise<AnswerVerdict>) | undefined;
  #loaded: Promise<void> | undefined;
  #stopListening: (() => void) | undefined;
  #timer: Timer | undefined;
  #sweeping: Promise<void> | undefined;

  constructor(parts: AnswerDeskParts) {
    this.#parts = parts;
    this.#book = new QuestionBook(parts.store);
  }

  /** What answers of a kind lead to; one handler for each kind, set before `start`. */
  on(kind: QuestionKind, handler: AnswerHandler): void {
    this.#handlers.set(kind, handler);
  }

  /** Who is told what answers no question of this desk, such as buttons with values of their own; set before `start`. */
  otherwise(take: (answer: ChannelAnswer) => Promise<AnswerVerdict>): void {
    this.#otherwise = take;
  }

  /** Begins to listen, and carries on with what an earlier process left. The store is open. @throws StoreError */
  async start(): Promise<void> {
    if (this.#loaded) return this.#loaded;
    this.#loaded = this.#book.load();
    this.#loaded.catch(() => {}); // answers that come meanwhile wait for it as well
    this.#stopListening = this.#parts.host.onAnswer((answer) => this.take(answer));
    this.#timer = this.#parts.clock.every(SWEEP_EVERY_MS, () => this.#sweep());
    try {
      await this.#loaded;
    } catch (error) {
      this.#stopListening();
      this.#timer.stop();
      this.#loaded = undefined; // the store may be well later
      throw error;
    }
    this.#sweep();
  }

  /** Listens no more; whoever waits for an answer goes on without. Resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stopListening?.();
    this.#timer?.stop();
    this.#stopping.abort(new Error("The voice channel stops."));
    for (const resolve of [...this.#waiting.values()]) resolve(undefined);
    while (this.#busy.size > 0) await Promise.allSettled(this.#busy);
  }

  /** An id for a question that is yet to be asked. */
  newId(): string {
    return randomBytes(7).toString("base64url");
  }

  /**
   * Writes a question down, then sends it. Resolves once the channel has taken it.
   * @throws InvalidRequestError more than ten options @throws StoreError @throws HostError nobody was asked
   */
  ask(order: QuestionOrder): Promise<{ readonly id: string }> {
    const asking = this.#ask(order).finally(() => this.#sending.delete(asking));
    this.#sending.add(asking);
    return this.#track(asking);
  }

  /**
   * Resolves with the answer to a question of this id, asked or yet to be asked; with `undefined` when none came within
   * `limitMs` or the signal was aborted. An answer that somebody waits for here is kept from the handler.
   */
  waitFor(id: string, limitMs: number, signal: AbortSignal): Promise<AnsweredQuestion | undefined> {
    const { promise, resolve } = Promise.withResolvers<AnsweredQuestion | undefined>();
    const giveUp = () => over(undefined);
    const timer = this.#parts.clock.after(limitMs, giveUp);
    const over = (question: AnsweredQuestion | undefined) => {
      timer.stop();
      signal.removeEventListener("abort", giveUp);
      this.#waiting.delete(id);
      resolve(question);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    this.#waiting.set(id, over);
    if (signal.aborted || this.#stopping.signal.aborted) giveUp();
    return promise;
  }

  /** Takes what somebody did in a text channel, if it answers a question of ours. Never rejects. */
  take(answer: ChannelAnswer): Promise<AnswerVerdict> {
    return this.#track(
      this.#take(answer).catch((error: unknown): AnswerVerdict => {
        this.#parts.host.logger.error("An answer could not be taken.", { error: String(error) });
        const ours = this.#read(answer) !== undefined;
        return ours ? { taken: true, reply: REPLIES.failed } : NOT_OURS;
      }),
    );
  }

  async #ask({ id = this.newId(), openForMs, ...order }: QuestionOrder): Promise<{ readonly id: string }> {
    if (order.options.length > MOST_OPTIONS) throw new InvalidRequestError("options", `may be ${MOST_OPTIONS} at most`);
    const askedAtMs = Math.round(this.#parts.clock.now());
    const times = { askedAtMs, expiresAtMs: askedAtMs + openForMs };
    const question: Question = { ...order, ...times, id, state: "open", sent: false, done: false };
    const asked = (await this.#book.add(question)) ? question : await this.#book.read(id);
    if (asked === undefined || asked.sent || asked.state !== "open") return { id }; // it was asked before
    try {
      const { messageId } = await this.#parts.host.send(order.address, this.#message(asked), this.#stopping.signal);
      await this.#book.change(id, (now) => ({ ...now, sent: true, ...(messageId !== undefined && { messageId }) }));
    } catch (error) {
      // Nobody sees it, so nobody answers it. Its removal may fail as well: then its time ends it.
      await this.#book.remove(id).catch((cause: unknown) => this.#warn("A question is left over.", id, cause));
      throw error;
    }
    return { id };
  }

  #message({ id, text, options }: Question): OutgoingMessage {
    if (options.length === 0) return { text };
    if (!this.#parts.host.capabilities.buttons) {
      return { text: `${text}\n\nReply to this message with one of: ${options.join(", ")}.` };
    }
    return { text, buttons: options.map((label, option) => ({ label, value: buttonValue(id, option) })) };
  }

  async #take(answer: ChannelAnswer): Promise<AnswerVerdict> {
    await this.#loaded;
    if (answer.inReplyTo !== undefined && answer.how === "text")
      await this.#soon(NAMED_WITHIN_MS, Promise.allSettled(this.#sending));
    const read = this.#read(answer);
    if (!read) return (await this.#otherwise?.(answer)) ?? NOT_OURS;
    const asked = await this.#book.read(read.id);
    if (!asked) return { taken: true, reply: REPLIES.closed, clearButtons: true };
    if (!isAskedOf(asked, answer)) return { taken: true, reply: REPLIES.notYours };
    const { result, reply } = await this.#decide(read.id, read.given);
    return { taken: true, reply: reply ?? REPLIES[result], ...(result !== "unfit" && { clearButtons: true }) };
  }

  /** What an answer says, and to which question; `undefined` when it is none to us. */
  #read(answer: ChannelAnswer): { readonly id: string; readonly given: GivenAnswer } | undefined {
    const { how, value, inReplyTo } = answer;
    if (how === "button") {
      const button = readButtonValue(value);
      return button && { id: button.id, given: { how, option: button.option } };
    }
    // A command to the host is none to us, whatever it replies to.
    if (inReplyTo === undefined || value.trim() === "" || value.trim().startsWith("/")) return undefined;
    const id = this.#book.ofMessage(answer, inReplyTo);
    return id === undefined ? undefined : { id, given: { how, text: value } };
  }

  /** The one place where an answer becomes the answer. */
  async #decide(id: string, given: GivenAnswer): Promise<Decision> {
    const decision: { result: Decision["result"] } = { result: "late" };
    const question = await this.#book.change(id, (now) => {
      const decided = answerQuestion(now, given, this.#parts.clock.now());
      decision.result = decided.result;
      return decided.result === "answered" ? decided.question : expireQuestion(now, this.#parts.clock.now());
    });
    if (!isAnswered(question) || question.done) return decision;
    const reply = await this.#soon(CARRIED_OUT_WITHIN_MS, this.#follow(question));
    return { ...decision, ...(decision.result === "answered" && reply !== undefined && { reply }) };
  }

  /** Carries out what an answer leads to, once at a time. Never rejects. */
  #follow(question: AnsweredQuestion): Promise<string | undefined> {
    const { id } = question;
    const running = this.#following.get(id);
    if (running) return running;
    const following = this.#track(this.#carryOut(question))
      .catch((error: unknown) => {
        this.#warn("An answer could not be carried out; it will be tried again.", id, error);
        return REPLIES.unfinished;
      })
      .finally(() => this.#following.delete(id));
    this.#following.set(id, following);
    return following;
  }

  async #carryOut(question: AnsweredQuestion): Promise<string | undefined> {
    const waiting = this.#waiting.get(question.id);
    waiting?.(question);
    const handler = waiting ? undefined : this.#handlers.get(question.kind);
    const reply = await handler?.(question, this.#stopping.signal);
    await this.#book.change(question.id, (now) => ({ ...now, done: true }));
    return reply;
  }

  /** What comes of it, if it comes while somebody waits for our word. */
  async #soon<Result>(limitMs: number, work: Promise<Result>): Promise<Result | undefined> {
    const { promise: enough, resolve } = Promise.withResolvers<undefined>();
    const timer = this.#parts.clock.after(limitMs, () => resolve(undefined));
    try {
      return await Promise.race([work, enough]);
    } finally {
      timer.stop();
    }
  }

  #sweep(): void {
    this.#sweeping ??= this.#track(this.#sweepAll()).finally(() => {
      this.#sweeping = undefined;
    });
  }

  /** Closes, carries out and forgets what is due. Never rejects: what fails is due again. */
  async #sweepAll(): Promise<void> {
    const nowMs = this.#parts.clock.now();
    try {
      for (const id of this.#book.expired(nowMs)) await this.#book.change(id, (now) => expireQuestion(now, nowMs));
      for (const id of this.#book.outdated(nowMs)) await this.#book.remove(id);
      for (const id of this.#book.unfinished()) {
        const question = await this.#book.read(id);
        if (isAnswered(question) && !question.done && !this.#stopping.signal.aborted) await this.#follow(question);
      }
    } catch (error) {
      this.#parts.host.logger.warn("Questions could not be looked through.", { error: String(error) });
    }
  }

  #track<Result>(work: Promise<Result>): Promise<Result> {
    this.#busy.add(work);
    const done = () => void this.#busy.delete(work);
    work.then(done, done);
    return work;
  }

  #warn(message: string, questionId: string, error: unknown): void {
    this.#parts.host.logger.warn(message, { questionId, error: String(error) });
  }
}

/** The id of a question that one step asks once, however often the step is taken: the same parts, the same id. */
export function questionIdFor(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 10);
}

// --- Internal helpers ---

const NOT_OURS: AnswerVerdict = { taken: false };

interface Decision {
  readonly result: AnswerResult["result"];
  readonly reply?: string;
}

function isAnswered(question: Question | undefined): question is AnsweredQuestion {
  return question?.state === "answered" && question.answer !== undefined && question.by !== undefined;
}
