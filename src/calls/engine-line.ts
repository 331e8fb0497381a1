import { EventEmitter } from "eventemitter3";
import { mulawMs } from "../audio/g711.ts";
import type { Clock, Timer } from "../core/clock.ts";
import { EngineUnreachableError, type VoiceError } from "../core/errors.ts";
import type {
  EngineEvents,
  EngineFact,
  EnginePatch,
  EngineSession,
  EngineTurn,
  PendingResponse,
  ResponseFailure,
  ResponseOrder,
} from "../engines/engine.ts";
import { CallerAudio } from "./engine-line-audio.ts";
import { Link } from "./engine-line-link.ts";
import { Openers, type OpenSession } from "./engine-line-opening.ts";
import { OrderBook, type WaitingOrder } from "./engine-line-orders.ts";
import { LineTools } from "./engine-line-tools.ts";

/** A turn as the call's transcript holds it. */
export interface HeardTurn extends EngineTurn {
  /** The engine's id of its item: by it a session is told only what it does not know. */
  readonly id: string;
}

export interface EngineLineParts {
  /** The engines of this call, best first: the next is tried when one fails or refuses for good. */
  readonly openers: readonly OpenSession[];
  readonly clock: Clock;
  /** What was heard of the call so far, oldest first. */
  readonly history: () => readonly HeardTurn[];
  /** A new session takes over at a quiet moment once one is this old. Default 48 minutes, 80 % of an engine's hour. */
  readonly maxSessionMs?: number;
  /** How long a lost session may be missed before the line gives up. Default 15 s. */
  readonly giveUpAfterMs?: number;
}

/** What a line tells: what its sessions tell, as if they were one, and how they change. */
export interface EngineLineEvents extends EngineEvents {
  /** The session is gone and a new one is being opened. The caller waits. */
  lost: [why: { error: VoiceError }];
  /** A new session has taken up the conversation. */
  restored: [session: { sessionId: string; model: string; afterMs: number }];
  /** A new session has taken over from one that had become old; nobody noticed. */
  rolledOver: [session: { sessionId: string; model: string }];
}

const MAX_SESSION_MS = 48 * 60_000;
const GIVE_UP_AFTER_MS = 15_000;
/** The roll-over does not wait for a quiet moment beyond this share of `maxSessionMs`: 97 % of an engine's hour. */
const LATEST_ROLL_OVER = 97 / 80;
const WATCH_MS = 50;
/** Silence of the agent after which a turn that it spoke stands in the history. */
const SPOKEN_OUT_MS = 500;
/** How long a replaced session may still bring what it owes. */
const RETIRED_MS = 20_000;
/** How long a repeated turn of the caller may take to be recognised as one. */
const RECOGNISED_MS = 2_500;
const ROLL_OVER_AGAIN_MS = 30_000;
/** Sound of the caller that a lost session may not have heard. */
const RESEND_MS = 1_000;
/** How often a response may fail in a row before the engine is given up. */
const MOST_FAILURES = 4;

const GO_ON =
  "The line broke while you were speaking. The caller heard you exactly as far as your last turn above goes. " +
  "Go on from there. Do not repeat it, and do not mention the break.";

/**
 * One conversation with a speech model, over as many sessions as it takes. A lost session is replaced by a new one
 * that knows what was heard; an old one is replaced before its engine ends it.
 */
export class EngineLine implements EngineSession {
  readonly #parts: EngineLineParts;
  readonly #openers: Openers;
  readonly #events = new EventEmitter<EngineLineEvents>();
  readonly #over = new AbortController();
  readonly #caller = new CallerAudio();
  readonly #tools = new LineTools();
  readonly #orders = new OrderBook();
  /** Replaced sessions that still owe something. */
  readonly #retired = new Map<Link, Timer>();
  readonly #instructions: string[] = [];
  readonly #facts: EngineFact[] = [];
  #patch: EnginePatch | undefined;
  #link: Link | undefined;
  /** A session that waits for a quiet moment to take over. */
  #next: { readonly session: EngineSession; readonly known: Iterable<string>; readonly openedAtMs: number } | undefined;
  #names = { id: "", model: "" };
  #held = false;
  #commitDue = false;
  /** Where the caller's sound is to be taken up by the next session. */
  #resumeFromMs = 0;
  /** Turns that a new session hears once more, and has not recognised yet. */
  #repeated: { readonly speech: string | undefined; readonly committed: boolean } | undefined;
  #recogniseUntilMs = Number.POSITIVE_INFINITY;
  /** Items of a lost session that may still be playing. */
  #unheard: readonly string[] = [];
  /** When the agent's sound has played out, if it plays without a pause. */
  #playsUntilMs = 0;
  #failures = 0;
  #rollOver: Timer | undefined;
  #watch: Timer | undefined;
  #isClosed = false;

  constructor(parts: EngineLineParts) {
    this.#parts = parts;
    this.#openers = new Openers(parts.openers, parts.clock);
  }

  get id(): string {
    return this.#names.id;
  }

  get model(): string {
    return this.#names.model;
  }

  get pending(): readonly PendingResponse[] {
    return [...(this.#link?.session.pending ?? []), ...this.#orders.all.map(({ order }) => ({ order }))];
  }

  /** Opens the first session; each engine is asked once. @throws VoiceError none can be had */
  async open(signal: AbortSignal): Promise<void> {
    const known = new Set<string>();
    const either = AbortSignal.any([signal, this.#over.signal]);
    const session = await this.#openers.first(() => this.#historyFor(known), either);
    this.#adopt(session, known, this.#parts.clock.now());
  }

  on<Name extends keyof EngineLineEvents>(event: Name, listener: (...payload: EngineLineEvents[Name]) => void): void {
    this.#events.on(event, listener as EventEmitter.EventListener<EngineLineEvents, Name>);
  }

  sendAudio(base64: Buffer): void {
    this.#caller.add(base64);
    this.#link?.session.sendAudio(base64);
  }

  respond(order: ResponseOrder): void {
    if (this.#link && this.#orders.isEmpty) {
      this.#tellWhatWasHeard(this.#link);
      this.#link.session.respond(order);
      return;
    }
    this.#orders.add(order);
    this.#wake();
  }

  say(text: string, cause: "greeting" | "say"): void {
    this.respond({ cause, text });
  }

  hold(held: boolean): void {
    this.#held = held;
    this.#link?.session.hold(held);
  }

  commitTurn(): void {
    if (this.#link) this.#link.session.commitTurn();
    else this.#commitDue = true;
  }

  instruct(text: string): void {
    this.#instructions.push(text);
    this.#link?.session.instruct(text);
  }

  remember(facts: readonly EngineFact[]): void {
    this.#facts.push(...facts);
    this.#link?.session.remember(facts);
  }

  update(patch: EnginePatch): void {
    this.#patch = { ...this.#patch, ...patch };
    this.#link?.session.update(patch);
  }

  stop(): void {
    this.#orders.stop();
    this.#playsUntilMs = this.#parts.clock.now();
    for (const { session, running } of this.#serving()) {
      for (const response of running.values()) response.stopped = true;
      session.stop();
    }
  }

  truncate(itemId: string, heardMs: number): void {
    // What a lost session said is told to the new one as it was heard: there is nothing to cut.
    for (const link of this.#serving()) if (link.owns(itemId)) link.session.truncate(itemId, heardMs);
  }

  giveToolResult(toolCallId: string, output: string): void {
    const asked = this.#tools.given(toolCallId, output);
    if (!asked) return;
    if (asked === this.#link) this.#link.session.giveToolResult(toolCallId, output);
    else if (!this.#tools.owed(this.#link)) this.respond({ cause: "tool" });
  }

  close(): void {
    if (this.#over.signal.aborted) return;
    this.#tidy();
    if (this.#link) this.#link.session.close();
    else this.#closed({ reason: "closed by us" });
  }

  // --- Internal helpers ---

  #historyFor(known: Set<string>): EngineFact[] {
    known.clear();
    return this.#parts.history().map(({ id, speaker, text }) => {
      known.add(id);
      return { speaker, text };
    });
  }

  #serving(): Link[] {
    return this.#link ? [this.#link, ...this.#retired.keys()] : [...this.#retired.keys()];
  }

  #serves(link: Link): boolean {
    return link === this.#link || this.#retired.has(link);
  }

  #emit<Name extends keyof EngineLineEvents>(event: Name, ...payload: EngineLineEvents[Name]): void {
    this.#events.emit(event, ...(payload as EventEmitter.EventArgs<EngineLineEvents, Name>));
  }

  /** Makes a session the one that serves, and brings it up to date. */
  #adopt(session: EngineSession, known: Iterable<string>, openedAtMs: number): void {
    const { startMs, frames } = this.#caller.since(this.#resumeFromMs);
    const link = new Link(session, { openedAtMs, inputStartMs: startMs, known });
    this.#link = link;
    this.#names = { id: session.id, model: session.model };
    this.#hear(link);
    if (this.#patch) session.update(this.#patch);
    for (const text of this.#instructions) session.instruct(text);
    if (this.#facts.length > 0) session.remember(this.#facts);
    if (this.#held) session.hold(true);
    for (const frame of frames) session.sendAudio(frame);
    if (this.#commitDue) session.commitTurn();
    this.#commitDue = false;
    const { clock, maxSessionMs = MAX_SESSION_MS } = this.#parts;
    this.#recogniseUntilMs = clock.now() + RECOGNISED_MS;
    this.#caller.keepFrom(undefined);
    this.#rollOver?.stop();
    this.#rollOver = clock.after(openedAtMs + maxSessionMs - clock.now(), () => void this.#prepareRollOver(link));
  }

  #hear(link: Link): void {
    const { session, inputStartMs } = link;
    const { clock } = this.#parts;
    session.on("audio", (piece) => {
      if (!this.#serves(link)) return;
      this.#playsUntilMs = Math.max(this.#playsUntilMs, clock.now()) + mulawMs(piece.audio.length);
      this.#emit("audio", piece);
    });
    session.on("speechStarted", ({ itemId, atInputMs }) => {
      if (link !== this.#link) return;
      this.#repeated = undefined;
      this.#caller.keepFrom(inputStartMs + atInputMs);
      this.#emit("speechStarted", { itemId, atInputMs: inputStartMs + atInputMs });
    });
    session.on("speechStopped", ({ itemId, atInputMs }) => {
      if (link === this.#link) this.#emit("speechStopped", { itemId, atInputMs: inputStartMs + atInputMs });
    });
    session.on("turnCommitted", (turn) => link === this.#link && this.#emit("turnCommitted", turn));
    session.on("callerWords", (words) => {
      if (this.#serves(link)) this.#emit("callerWords", words);
      this.#written(link);
    });
    session.on("callerWordsFailed", (turn) => {
      if (this.#serves(link)) this.#emit("callerWordsFailed", turn);
      this.#written(link);
    });
    for (const name of ["audioDone", "agentWords", "fault", "noted"] as const) this.#pass(link, name);
    session.on("responseStarted", (response) => {
      if (link === this.#link) {
        this.#tools.begun(link, response.responseId);
        this.#emit("responseStarted", response);
      } else session.stop(); // it was ordered anew from the session that serves
    });
    session.on("responseEnded", (response) => {
      if (!this.#serves(link)) return;
      this.#tools.ended(response.responseId, response.status === "completed");
      this.#emit("responseEnded", response);
      if (response.status === "completed") this.#failures = 0;
      if (response.failure && link === this.#link) this.#failed(link, response.failure);
      this.#dismissIfDone(link);
    });
    session.on("toolCalled", (call) => {
      if (!this.#serves(link)) return;
      this.#tools.called(link, call.toolCallId, call);
      this.#emit("toolCalled", call);
    });
    session.on("closed", ({ reason, error }) => {
      if (link === this.#link) {
        if (this.#over.signal.aborted) this.#closed({ reason });
        else if (error && !error.retryable) this.#replace(link, error);
        else this.#lose(link, error ?? new EngineUnreachableError(`The speech model ended the session: ${reason}.`));
      } else if (this.#retired.has(link)) {
        this.#cutOff(link);
        this.#dismiss(link);
      }
    });
  }

  #pass(link: Link, name: "audioDone" | "agentWords" | "fault" | "noted"): void {
    link.session.on(name, (...payload) => {
      if (this.#serves(link)) this.#emit(name, ...(payload as EngineLineEvents[typeof name]));
    });
  }

  /** Tells the session the turns that it cannot know, as they were heard, and what tools found out for another one. */
  #tellWhatWasHeard(link: Link): void {
    const facts: EngineFact[] = [];
    for (const { id, speaker, text } of this.#parts.history()) {
      if (link.known.has(id)) continue;
      link.known.add(id);
      facts.push({ speaker, text });
    }
    facts.push(...this.#tools.takeResults(link));
    if (facts.length > 0) link.session.remember(facts);
  }

  /** The words of a turn came: its sound need not be kept. */
  #written(link: Link): void {
    if (link === this.#link) {
      const open = [...link.turns.values()].map(({ fromMs }) => fromMs);
      this.#caller.keepFrom(open.length === 0 ? undefined : Math.min(...open));
    }
    this.#dismissIfDone(link);
  }

  #failed(link: Link, { error, retryAfterMs, order = { cause: "turn" } }: ResponseFailure): void {
    this.#failures += 1;
    this.#orders.addFirst(order);
    if (!error.retryable || this.#failures > MOST_FAILURES) this.#replace(link, error);
    else if (retryAfterMs === undefined && this.#failures > 1) this.#lose(link, error);
    else {
      const waitMs = (retryAfterMs ?? 0) * 2 ** (this.#failures - 1);
      this.#orders.notBeforeMs = this.#parts.clock.now() + waitMs;
      this.#wake();
    }
  }

  /** The engine is of no more use: goes on with the next one, if there is any. */
  #replace(link: Link, error: VoiceError): void {
    if (!this.#openers.drop()) {
      this.#fail(error);
      return;
    }
    this.#failures = 0;
    this.#discardNext();
    this.#lose(link, error);
  }

  /** The session is of no more use: gets another one. */
  #lose(link: Link, error: VoiceError): void {
    const { clock, giveUpAfterMs = GIVE_UP_AFTER_MS } = this.#parts;
    const lostAtMs = clock.now();
    this.#link = undefined;
    this.#rollOver?.stop();
    this.#unheard = [...link.agentItems.keys()];
    this.#takeOver(link, { withRunning: true });
    this.#cutOff(link);
    link.session.close();
    this.#emit("lost", { error });
    const take = (session: EngineSession, known: Iterable<string>, openedAtMs: number) => {
      this.#adopt(session, known, openedAtMs);
      this.#emit("restored", { sessionId: session.id, model: session.model, afterMs: clock.now() - lostAtMs });
      this.#wake();
    };
    const next = this.#next;
    this.#next = undefined;
    if (next) {
      take(next.session, next.known, next.openedAtMs);
      return;
    }
    const known = new Set<string>();
    this.#openers
      .again(() => this.#historyFor(known), giveUpAfterMs, this.#over.signal)
      .then(
        (session) => (this.#over.signal.aborted ? session.close() : take(session, known, clock.now())),
        (failure: VoiceError) => this.#fail(failure),
      );
  }

  /** Takes over what a session owes: orders, turns of the caller that nobody has answered, results of tools. */
  #takeOver(link: Link, { withRunning }: { withRunning: boolean }): void {
    const unanswered = [...link.turns].filter(([, turn]) => !turn.answered);
    this.#resumeFromMs = Math.min(Number.POSITIVE_INFINITY, ...unanswered.map(([, { fromMs }]) => fromMs));
    // What was on its way to a lost session was not heard by it either.
    if (unanswered.length === 0) this.#resumeFromMs = Math.max(link.turnsEndMs, this.#caller.totalMs - RESEND_MS);
    this.#caller.keepFrom(this.#resumeFromMs);
    const committed = unanswered.some(([, turn]) => turn.committed);
    if (unanswered.length > 0) this.#repeated = { speech: link.speech, committed };
    this.#recogniseUntilMs = Number.POSITIVE_INFINITY;
    for (const { order, responseId } of link.session.pending) {
      const items = [...(link.running.get(responseId ?? "")?.items ?? [])];
      if (responseId !== undefined && !withRunning) continue;
      if (items.length > 0) this.#orders.add(order, items);
      else if (!(committed && order.cause === "turn")) this.#orders.add(order);
    }
    for (const { isOwn, stopped, items } of withRunning ? link.running.values() : []) {
      if (isOwn && !stopped && (items.size > 0 || !committed)) this.#orders.add({ cause: "turn" }, [...items]);
    }
    for (const [itemId, turn] of link.turns) {
      if (turn.answered && !withRunning) continue;
      link.turns.delete(itemId);
      this.#emit("callerWordsFailed", { itemId });
    }
  }

  /** Nothing more comes of what a session had begun. */
  #cutOff(link: Link): void {
    for (const [responseId, { items }] of link.running) {
      for (const itemId of items) if (!link.agentItems.get(itemId)) this.#emit("audioDone", { responseId, itemId });
      this.#emit("responseEnded", { responseId, status: "incomplete" });
    }
    link.running.clear();
  }

  async #prepareRollOver(link: Link): Promise<void> {
    const { clock } = this.#parts;
    const known = new Set<string>();
    const limitMs = Math.max(1_000, this.#latestRollOverMs(link) - clock.now());
    try {
      const session = await this.#openers.again(() => this.#historyFor(known), limitMs, this.#over.signal);
      if (this.#over.signal.aborted || link !== this.#link) return session.close();
      this.#next = { session, known, openedAtMs: clock.now() };
      session.on("closed", () => {
        if (this.#next?.session !== session) return;
        this.#next = undefined;
        this.#rollOver = clock.after(ROLL_OVER_AGAIN_MS, () => void this.#prepareRollOver(link));
      });
      this.#wake();
    } catch (error) {
      if (this.#over.signal.aborted || link !== this.#link) return;
      this.#emit("fault", error as VoiceError);
      this.#rollOver = clock.after(ROLL_OVER_AGAIN_MS, () => void this.#prepareRollOver(link));
    }
  }

  #latestRollOverMs({ openedAtMs }: Link): number {
    return openedAtMs + (this.#parts.maxSessionMs ?? MAX_SESSION_MS) * LATEST_ROLL_OVER;
  }

  /** Hands over to the waiting session when nobody speaks and nothing is open, at the latest shortly before the end. */
  #rollOverIfQuiet(now: number): void {
    const link = this.#link;
    const next = this.#next;
    if (!link || !next) return;
    const settled = link.idle && this.#orders.isEmpty && !this.#tools.open;
    const quiet = settled && !this.#held && now > this.#playsUntilMs + SPOKEN_OUT_MS;
    if (!quiet && now < this.#latestRollOverMs(link)) return;
    this.#next = undefined;
    this.#takeOver(link, { withRunning: false });
    link.session.hold(true);
    this.#retired.set(
      link,
      this.#parts.clock.after(RETIRED_MS, () => {
        this.#cutOff(link);
        this.#dismiss(link);
      }),
    );
    this.#adopt(next.session, next.known, next.openedAtMs);
    this.#emit("rolledOver", { sessionId: next.session.id, model: next.session.model });
    this.#dismissIfDone(link);
  }

  #dismissIfDone(link: Link): void {
    if (this.#retired.has(link) && link.running.size === 0 && link.turns.size === 0) this.#dismiss(link);
  }

  #dismiss(link: Link): void {
    this.#retired.get(link)?.stop();
    this.#retired.delete(link);
    link.session.close();
  }

  /** Looks after what waits, now and until nothing does. */
  #wake(): void {
    if (this.#over.signal.aborted) return;
    this.#watch ??= this.#parts.clock.every(WATCH_MS, () => this.#look());
    this.#look();
  }

  #look(): void {
    const now = this.#parts.clock.now();
    this.#answerUnrecognised(now);
    this.#rollOverIfQuiet(now);
    this.#release(now);
    if (!this.#orders.isEmpty || this.#next || this.#repeated) return;
    this.#watch?.stop();
    this.#watch = undefined;
  }

  /** A turn that was repeated to the new session, and in which it heard nobody speak, is answered all the same. */
  #answerUnrecognised(now: number): void {
    const turn = this.#repeated;
    if (!turn || now < this.#recogniseUntilMs) return;
    this.#repeated = undefined;
    if (turn.speech !== undefined) {
      this.#emit("speechStopped", { itemId: turn.speech, atInputMs: this.#caller.totalMs });
    }
    if (turn.committed) this.#orders.add({ cause: "turn" });
  }

  /** Gives the waiting orders to the session, once the caller has heard what the former one said. */
  #release(now: number): void {
    const link = this.#link;
    if (!link || this.#orders.isEmpty || now < this.#orders.notBeforeMs) return;
    const heard = new Set(this.#parts.history().map(({ id }) => id));
    const playing = this.#unheard.some((itemId) => !heard.has(itemId)) && now <= this.#playsUntilMs + SPOKEN_OUT_MS;
    if (playing) return;
    this.#unheard = [];
    this.#tellWhatWasHeard(link);
    for (const waiting of this.#orders.takeAll()) {
      const order = this.#rest(waiting, link);
      if (order) link.session.respond(order);
    }
  }

  /** What is left to say of an order. */
  #rest({ order, begunItems }: WaitingOrder, link: Link): ResponseOrder | undefined {
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

  #fail(error: VoiceError): void {
    if (this.#over.signal.aborted) return;
    const link = this.#link;
    this.#tidy();
    this.#link = undefined;
    link?.session.close();
    this.#closed({ reason: error.message, error });
  }

  #discardNext(): void {
    const next = this.#next;
    this.#next = undefined;
    next?.session.close();
  }

  #tidy(): void {
    this.#over.abort(new Error("The conversation is over."));
    this.#watch?.stop();
    this.#rollOver?.stop();
    for (const link of [...this.#retired.keys()]) this.#dismiss(link);
    this.#discardNext();
  }

  #closed(why: EngineEvents["closed"][0]): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#emit("closed", why);
    this.#events.removeAllListeners();
  }
}
