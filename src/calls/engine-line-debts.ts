import type { EngineFact, ResponseOrder } from "../engines/engine.ts";
import type { Link } from "./engine-line-link.ts";
import type { HeardTurn } from "./engine-line-opening.ts";
import type { LineTools } from "./engine-line-tools.ts";

export interface DebtsParts {
  readonly history: () => readonly HeardTurn[];
  readonly tools: LineTools;
  /** Nothing will be heard of the end of this speech: the turn was repeated, and nobody heard it. */
  readonly onSpeechLost: (itemId: string) => void;
}

interface Waiting {
  readonly order: ResponseOrder;
  /** The items in which a part of it was already said. */
  readonly begunItems: readonly string[];
}

/** Silence of the agent after which a turn that it spoke stands in the history. */
export const SPOKEN_OUT_MS = 500;
/** How long a repeated turn of the caller may take to be recognised as one. */
const RECOGNISED_MS = 2_500;

const GO_ON =
  "The line broke while you were speaking. The caller heard you exactly as far as your last turn above goes. " +
  "Go on from there. Do not repeat it, and do not mention the break.";

/** What a line owes the caller while it has no session, or one that is asked for patience. */
export class Debts {
  readonly #parts: DebtsParts;
  #waiting: Waiting[] = [];
  #notBeforeMs = 0;
  /** A turn that a new session hears once more, and has not recognised yet. */
  #repeated: { readonly speech: string | undefined; readonly committed: boolean } | undefined;
  #recogniseUntilMs = Number.POSITIVE_INFINITY;
  /** Items of a former session that may still be playing. */
  #unheard: readonly string[] = [];

  constructor(parts: DebtsParts) {
    this.#parts = parts;
  }

  get orders(): readonly ResponseOrder[] {
    return this.#waiting.map(({ order }) => order);
  }

  /** Whether nothing is owed. */
  get settled(): boolean {
    return this.#waiting.length === 0 && this.#unheard.length === 0 && this.#repeated === undefined;
  }

  /** Whether a session is yet to recognise a turn that is repeated to it. */
  get repeats(): boolean {
    return this.#repeated !== undefined;
  }

  /** Takes an order. One that answers the caller replaces an older one that was to do so. */
  add(order: ResponseOrder, begunItems: readonly string[] = []): void {
    if (answersCaller(order)) this.#waiting = this.#waiting.filter((older) => !answersCaller(older.order));
    this.#waiting.push({ order, begunItems });
  }

  /** Takes an order that failed, for a further try at `notBeforeMs`, unless a newer one answers the caller already. */
  addAgain(order: ResponseOrder, notBeforeMs: number): void {
    this.#notBeforeMs = notBeforeMs;
    if (answersCaller(order) && this.#waiting.some((newer) => answersCaller(newer.order))) return;
    this.#waiting.unshift({ order, begunItems: [] });
  }

  /** Forgets what waits, but for texts that must be said. */
  stop(): void {
    this.#waiting = this.#waiting.filter(({ order }) => order.cause === "say");
  }

  /** Takes over what a session leaves: all of it, or what it had begun, or what was waiting behind that. */
  takeOver(link: Link, which: "all" | "begun" | "waiting"): void {
    const heard = this.#heard();
    this.#unheard = [...this.#unheard, ...link.agentItems.keys()].filter((itemId) => !heard.has(itemId));
    const open = link.unanswered;
    if (open.length > 0) {
      this.#repeated = { speech: link.speech, committed: open.some(({ committed }) => committed) };
      this.#recogniseUntilMs = Number.POSITIVE_INFINITY;
    }
    const repeats = this.#repeated?.committed === true;
    // Whoever hears the turn once more answers it then: before that there is nothing to answer.
    if (repeats) this.#waiting = this.#waiting.filter(({ order }) => order.cause !== "turn");
    for (const { order, responseId } of link.session.pending) {
      const isWanted = which === "all" || (which === "begun") === (responseId !== undefined);
      if (!isWanted || (repeats && order.cause === "turn")) continue;
      this.add(order, [...(link.running.get(responseId ?? "")?.items ?? [])]);
    }
    if (which === "waiting" || repeats) return;
    for (const { isOwn, stopped, items } of link.running.values()) {
      if (isOwn && !stopped) this.add({ cause: "turn" }, [...items]);
    }
  }

  /** A new session serves. It has so long to recognise what is repeated to it. */
  served(link: Link, nowMs: number): void {
    this.#recogniseUntilMs = nowMs + RECOGNISED_MS;
    this.inform(link);
  }

  /** The serving session heard the caller speak: their turn takes its usual course. */
  recognised(): void {
    this.#repeated = undefined;
  }

  /** Pays what can be paid now. The agent's sound so far plays until `playsUntilMs`, unless it is held. */
  pay(link: Link, nowMs: number, playsUntilMs: number, held: boolean): void {
    if (this.#repeated && nowMs >= this.#recogniseUntilMs) this.#answerUnrecognised(this.#repeated);
    if (held) return;
    const heard = this.#heard();
    if (nowMs > playsUntilMs + SPOKEN_OUT_MS || this.#unheard.every((itemId) => heard.has(itemId))) {
      if (this.#unheard.length > 0) this.inform(link);
      this.#unheard = [];
    }
    if (this.#waiting.length === 0 || this.#unheard.length > 0 || nowMs < this.#notBeforeMs) return;
    this.inform(link);
    for (const waiting of this.#waiting.splice(0)) {
      const order = this.#rest(waiting, link);
      if (order) link.session.respond(order);
    }
  }

  /** Tells a session the turns that it cannot know, as they were heard, and what tools found out for another one. */
  inform(link: Link): void {
    const facts: EngineFact[] = [];
    for (const { id, speaker, text } of this.#parts.history()) {
      if (link.known.has(id)) continue;
      link.known.add(id);
      facts.push({ speaker, text });
    }
    facts.push(...this.#parts.tools.takeResults(link));
    if (facts.length > 0) link.session.remember(facts);
  }

  #heard(): ReadonlySet<string> {
    return new Set(this.#parts.history().map(({ id }) => id));
  }

  /** A turn that was repeated to the new session, and in which it heard nobody speak, is answered all the same. */
  #answerUnrecognised({ speech, committed }: { speech: string | undefined; committed: boolean }): void {
    this.#repeated = undefined;
    if (speech !== undefined) this.#parts.onSpeechLost(speech);
    if (committed) this.add({ cause: "turn" });
  }

  /** What is left to say of an order. */
  #rest({ order, begunItems }: Waiting, link: Link): ResponseOrder | undefined {
    const heard = this.#parts.history().filter(({ id }) => begunItems.includes(id));
    if (heard.length === 0) return order;
    if (order.text === undefined) {
      link.session.instruct(GO_ON);
      return { cause: "turn" };
    }
    const words = heard.map(({ text }) => text).join(" ");
    if (!order.text.startsWith(words)) return order;
    const text = order.text.slice(words.length).trim();
    return text === "" ? undefined : { ...order, text };
  }
}

// --- Internal helpers ---

const answersCaller = ({ cause }: ResponseOrder): boolean => cause === "turn" || cause === "tool";
