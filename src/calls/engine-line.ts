import { EventEmitter } from "eventemitter3";
import { mulawMs } from "../audio/g711.ts";
import type { Clock, Timer } from "../core/clock.ts";
import { EngineUnreachableError, type VoiceError } from "../core/errors.ts";
import type {
  EngineEvents,
  EngineFact,
  EnginePatch,
  EngineSession,
  PendingResponse,
  ResponseFailure,
  ResponseOrder,
} from "../engines/engine.ts";
import { CallerAudio } from "./engine-line-audio.ts";
import { Debts, SPOKEN_OUT_MS } from "./engine-line-debts.ts";
import { Link, type Tell } from "./engine-line-link.ts";
import { type HeardTurn, type Opened, Openers, type OpenSession } from "./engine-line-opening.ts";
import { RollOver } from "./engine-line-rollover.ts";
import { Standing } from "./engine-line-standing.ts";
import { LineTools } from "./engine-line-tools.ts";

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
const WATCH_MS = 50;
/** How long a replaced session may still bring what it owes. */
const RETIRED_MS = 20_000;
/** Sound of the caller that a lost session may not have heard. */
const RESEND_MS = 1_000;
/** How often a response may fail in a row before the engine is given up: by a fault of its own, or because it is busy. */
const MOST_FAULTS = 2;
const MOST_REFUSALS = 4;

/**
 * One conversation with a speech model, over as many sessions as it takes. A lost session is replaced by a new one
 * that knows what was heard; an old one is replaced before its engine ends it.
 */
export class EngineLine implements EngineSession {
  readonly #clock: Clock;
  readonly #giveUpAfterMs: number;
  readonly #openers: Openers;
  readonly #rollOver: RollOver;
  readonly #events = new EventEmitter<EngineLineEvents>();
  readonly #over = new AbortController();
  readonly #caller = new CallerAudio();
  readonly #tools = new LineTools();
  readonly #standing = new Standing();
  readonly #debts: Debts;
  /** Replaced sessions that still owe something. */
  readonly #retired = new Map<Link, Timer>();
  #link: Link | undefined;
  #names = { id: "", model: "" };
  /** Where the caller's sound is to be taken up by the next session. */
  #resumeFromMs = 0;
  /** When the agent's sound has played out, if it plays without a pause. */
  #playsUntilMs = 0;
  #failures = 0;
  #watch: Timer | undefined;
  #isClosed = false;

  constructor({ openers, clock, history, maxSessionMs, giveUpAfterMs }: EngineLineParts) {
    this.#clock = clock;
    this.#giveUpAfterMs = giveUpAfterMs ?? GIVE_UP_AFTER_MS;
    this.#openers = new Openers(openers, clock, history);
    this.#rollOver = new RollOver({
      clock,
      afterMs: maxSessionMs ?? MAX_SESSION_MS,
      open: (limitMs) => this.#openers.again(limitMs, this.#over.signal),
      onReady: () => this.#wake(),
      onFault: (error) => this.#emit("fault", error),
    });
    this.#debts = new Debts({
      history,
      tools: this.#tools,
      onSpeechLost: (itemId) => this.#emit("speechStopped", { itemId, atInputMs: this.#caller.totalMs }),
    });
  }

  get id(): string {
    return this.#names.id;
  }

  get model(): string {
    return this.#names.model;
  }

  get pending(): readonly PendingResponse[] {
    return [...(this.#link?.session.pending ?? []), ...this.#debts.orders.map((order) => ({ order }))];
  }

  /** Opens the first session; each engine is asked once. @throws VoiceError none can be had */
  async open(signal: AbortSignal): Promise<void> {
    this.#adopt(await this.#openers.first(AbortSignal.any([signal, this.#over.signal])));
  }

  on<Name extends keyof EngineLineEvents>(event: Name, listener: (...payload: EngineLineEvents[Name]) => void): void {
    this.#events.on(event, listener as EventEmitter.EventListener<EngineLineEvents, Name>);
  }

  sendAudio(base64: Buffer): void {
    this.#link?.session.sendAudio(base64);
    this.#caller.add(base64);
  }

  respond(order: ResponseOrder): void {
    if (this.#link && this.#debts.orders.length === 0) {
      this.#debts.inform(this.#link);
      this.#link.session.respond(order);
      return;
    }
    this.#debts.add(order);
    this.#wake();
  }

  say(text: string, cause: "greeting" | "say"): void {
    this.respond({ cause, text });
  }

  hold(held: boolean): void {
    this.#standing.hold(held, this.#link?.session);
  }

  commitTurn(): void {
    this.#standing.commitTurn(this.#link?.session);
  }

  instruct(text: string): void {
    this.#standing.instruct(text, this.#link?.session);
  }

  remember(facts: readonly EngineFact[]): void {
    this.#standing.remember(facts, this.#link?.session);
  }

  update(patch: EnginePatch): void {
    this.#standing.update(patch, this.#link?.session);
  }

  stop(): void {
    this.#debts.stop();
    this.#playsUntilMs = Math.min(this.#playsUntilMs, this.#clock.now());
    for (const link of this.#serving()) {
      for (const response of link.running.values()) response.stopped = true;
      link.session.stop();
    }
  }

  truncate(itemId: string, heardMs: number): void {
    // What a lost session said is told to the new one as it was heard: there is nothing to cut.
    for (const link of this.#serving()) if (link.agentItems.has(itemId)) link.session.truncate(itemId, heardMs);
  }

  giveToolResult(toolCallId: string, output: string): void {
    const asked = this.#tools.given(toolCallId, output);
    if (!asked) return;
    if (asked === this.#link) asked.session.giveToolResult(toolCallId, output);
    else if (!this.#tools.owed(this.#link)) this.respond({ cause: "tool" });
  }

  close(): void {
    if (this.#over.signal.aborted) return;
    this.#tidy();
    if (this.#link) this.#link.session.close();
    else this.#closed({ reason: "closed by us" });
  }

  #serving(): Link[] {
    return this.#link ? [this.#link, ...this.#retired.keys()] : [...this.#retired.keys()];
  }

  readonly #tell: Tell = (event, ...payload) => this.#emit(event, ...(payload as EngineLineEvents[typeof event]));

  #emit<Name extends keyof EngineLineEvents>(event: Name, ...payload: EngineLineEvents[Name]): void {
    this.#events.emit(event, ...(payload as EventEmitter.EventArgs<EngineLineEvents, Name>));
  }

  /** Makes a session the one that serves, and brings it up to date. */
  #adopt({ session, known, atMs }: Opened): void {
    const { startMs, frames } = this.#caller.since(this.#resumeFromMs);
    const link = new Link(session, startMs, known);
    this.#link = link;
    this.#names = { id: session.id, model: session.model };
    this.#hear(link);
    this.#standing.applyTo(session, frames);
    this.#caller.keepFrom(this.#debts.repeats ? this.#resumeFromMs : undefined);
    this.#debts.served(link, this.#clock.now());
    this.#rollOver.begin(atMs);
  }

  #hear(link: Link): void {
    const { session, inputStartMs } = link;
    const serves = () => link === this.#link;
    const counts = () => serves() || this.#retired.has(link);
    session.on("audio", (piece) => {
      if (!counts()) return;
      this.#playsUntilMs = Math.max(this.#playsUntilMs, this.#clock.now()) + mulawMs(piece.audio.length);
      this.#emit("audio", piece);
    });
    session.on("speechStarted", ({ itemId, atInputMs }) => {
      if (!serves()) return;
      this.#debts.recognised();
      this.#caller.keepFrom(inputStartMs + atInputMs);
      this.#emit("speechStarted", { itemId, atInputMs: inputStartMs + atInputMs });
    });
    session.on("speechStopped", ({ itemId, atInputMs }) => {
      if (serves()) this.#emit("speechStopped", { itemId, atInputMs: inputStartMs + atInputMs });
    });
    session.on("turnCommitted", (turn) => {
      if (!serves()) return;
      this.#debts.recognised();
      this.#emit("turnCommitted", turn);
    });
    for (const name of ["turnEmpty", "updated"] as const) session.on(name, () => serves() && this.#emit(name));
    for (const name of ["callerWords", "callerWordsFailed", "audioDone", "agentWords", "fault", "noted"] as const) {
      session.on(name, (...payload: unknown[]) => {
        if (counts()) this.#emit(name, ...(payload as EngineLineEvents[typeof name]));
      });
    }
    session.on("callerWords", ({ final }) => final && this.#written(link));
    session.on("callerWordsFailed", () => this.#written(link));
    session.on("responseStarted", (response) => {
      if (serves()) {
        this.#tools.begun(link, response.responseId);
        this.#emit("responseStarted", response);
      } else session.stop(); // it was ordered anew from the session that serves
    });
    session.on("responseEnded", (response) => {
      if (!counts()) return;
      this.#tools.ended(response.responseId, response.status === "completed");
      if (response.status === "completed") this.#failures = 0;
      this.#emit("responseEnded", response);
      if (response.failure && !this.#over.signal.aborted) this.#failed(link, response.failure);
      this.#dismissIfDone(link);
    });
    session.on("toolCalled", (call) => {
      if (!counts()) return;
      this.#tools.called(link, call.toolCallId, call);
      this.#emit("toolCalled", call);
    });
    session.on("closed", ({ reason, error }) => {
      if (serves()) {
        if (this.#over.signal.aborted) this.#closed({ reason });
        else if (error && !error.retryable) this.#replace(link, error);
        else this.#lose(link, error ?? new EngineUnreachableError(`The speech model ended the session: ${reason}.`));
      } else if (this.#retired.has(link)) this.#dismiss(link);
    });
  }

  /** The words of a turn came: its sound need not be kept. */
  #written(link: Link): void {
    if (link === this.#link) this.#caller.keepFrom(link.turnsFromMs);
    this.#dismissIfDone(link);
  }

  #failed(link: Link, { error, retryAfterMs, order = { cause: "turn" } }: ResponseFailure): void {
    this.#failures += 1;
    const waitMs = (retryAfterMs ?? 0) * 2 ** (this.#failures - 1);
    this.#debts.addAgain(order, this.#clock.now() + waitMs);
    const most = retryAfterMs === undefined ? MOST_FAULTS : MOST_REFUSALS;
    if (link !== this.#link) this.#wake();
    else if (!error.retryable || this.#failures > most) this.#replace(link, error);
    else if (retryAfterMs === undefined && this.#failures > 1) this.#lose(link, error);
    else this.#wake();
  }

  /** The engine is of no more use: goes on with the next one, if there is any. */
  #replace(link: Link, error: VoiceError): void {
    if (this.#openers.drop()) {
      this.#failures = 0;
      this.#rollOver.stop();
      this.#lose(link, error);
    } else this.#fail(error);
  }

  /** The session is of no more use: gets another one. */
  #lose(link: Link, error: VoiceError): void {
    const lostAtMs = this.#clock.now();
    this.#link = undefined;
    this.#leave(link);
    this.#debts.takeOver(link, "all");
    link.cutOff(this.#tell);
    link.session.close();
    this.#emit("lost", { error });
    const take = (opened: Opened) => {
      this.#adopt(opened);
      const { id, model } = opened.session;
      this.#emit("restored", { sessionId: id, model, afterMs: this.#clock.now() - lostAtMs });
      this.#wake();
    };
    const next = this.#rollOver.take();
    this.#rollOver.stop();
    if (next) take(next);
    else this.#openers.again(this.#giveUpAfterMs, this.#over.signal).then(take, (why: VoiceError) => this.#fail(why));
  }

  /** Hands over to the waiting session when nobody speaks and nothing is open, at the latest shortly before the end. */
  #rollOverIfQuiet(link: Link, now: number): void {
    if (!this.#rollOver.isReady) return;
    const settled = link.idle && this.#debts.settled && !this.#tools.open;
    const quiet = settled && !this.#standing.held && now > this.#playsUntilMs + SPOKEN_OUT_MS;
    if (!quiet && !this.#rollOver.isPressing(now)) return;
    const next = this.#rollOver.take() as Opened;
    link.finishes();
    this.#leave(link);
    this.#debts.takeOver(link, "waiting");
    link.giveUpUnanswered(this.#tell);
    link.session.hold(true);
    this.#retired.set(
      link,
      this.#clock.after(RETIRED_MS, () => this.#dismiss(link)),
    );
    this.#adopt(next);
    this.#emit("rolledOver", { sessionId: next.session.id, model: next.session.model });
    this.#dismissIfDone(link);
  }

  /** Marks where the next session takes up the caller's sound. */
  #leave(link: Link): void {
    const unansweredMs = Math.min(...link.unanswered.map(({ fromMs }) => fromMs));
    // What was on its way to a lost session was not heard by it either.
    const latestMs = Math.max(link.turnsEndMs, this.#caller.totalMs - RESEND_MS);
    const againMs = this.#debts.repeats ? this.#resumeFromMs : latestMs;
    this.#resumeFromMs = Math.min(unansweredMs, againMs, latestMs);
    this.#caller.keepFrom(this.#resumeFromMs);
  }

  #dismissIfDone(link: Link): void {
    if (this.#retired.has(link) && link.running.size === 0 && link.turns.size === 0) this.#dismiss(link);
  }

  /** Lets a replaced session go. */
  #dismiss(link: Link): void {
    this.#retired.get(link)?.stop();
    this.#retired.delete(link);
    this.#debts.takeOver(link, "begun");
    link.cutOff(this.#tell);
    link.session.close();
    this.#wake();
  }

  /** Looks after what waits, now and until nothing does. */
  #wake(): void {
    if (this.#over.signal.aborted) return;
    this.#watch ??= this.#clock.every(WATCH_MS, () => this.#look());
    this.#look();
  }

  #look(): void {
    const now = this.#clock.now();
    if (this.#link) this.#rollOverIfQuiet(this.#link, now);
    if (this.#link) this.#debts.pay(this.#link, now, this.#playsUntilMs, this.#standing.held);
    if (!this.#debts.settled || this.#rollOver.isReady) return;
    this.#watch?.stop();
    this.#watch = undefined;
  }

  #fail(error: VoiceError): void {
    if (this.#over.signal.aborted) return;
    const link = this.#link;
    this.#link = undefined;
    this.#tidy();
    link?.session.close();
    this.#closed({ reason: error.message, error });
  }

  #tidy(): void {
    this.#over.abort(new Error("The conversation is over."));
    this.#watch?.stop();
    this.#rollOver.stop();
    for (const link of [...this.#retired.keys()]) this.#dismiss(link);
  }

  #closed(why: EngineEvents["closed"][0]): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#emit("closed", why);
    this.#events.removeAllListeners();
  }
}
