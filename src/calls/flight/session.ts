import { EventEmitter } from "eventemitter3";
import type { Usage } from "../../core/events.ts";
import { NO_USAGE } from "../../core/pricing.ts";
import type {
  EngineEvents,
  EngineFact,
  EnginePatch,
  EngineSession,
  PendingResponse,
  ResponseFailure,
  ResponseOrder,
} from "../../engines/engine.ts";
import { factsLine, orderLine, patchLine } from "./lines.ts";
import { argumentsMark, errorMark, meaningOf, shapeOf } from "./redact.ts";
import type { Field, Tap } from "./tap.ts";

type Told<Name extends keyof EngineEvents> = EngineEvents[Name][0];

/** In this order what a response consumed is kept. */
export const USAGE = Object.keys(NO_USAGE) as (keyof Usage)[];
/** Texts of the agent that may grow. */
const MOST_TEXTS = 16;

/** A session of the speech model with a tap before it. */
export class TappedSession implements EngineSession {
  readonly #session: EngineSession;
  readonly #number: number;
  readonly #tap: Tap;
  readonly #secret: string;
  readonly #events = new EventEmitter<EngineEvents>();
  readonly #heard = new Set<keyof EngineEvents>();
  /** The agent's words so far, by item: each event holds all of them. */
  readonly #texts = new Map<string, string>();

  constructor(session: EngineSession, number: number, tap: Tap, secret: string) {
    this.#session = session;
    this.#number = number;
    this.#tap = tap;
    this.#secret = secret;
  }

  get id(): string {
    return this.#session.id;
  }

  get model(): string {
    return this.#session.model;
  }

  get pending(): readonly PendingResponse[] {
    this.#tap.see(`pending ${this.#number}`, () => JSON.stringify(this.#session.pending.map(this.#pendingMark)));
    return this.#session.pending;
  }

  on<Name extends keyof EngineEvents>(name: Name, listener: (...payload: EngineEvents[Name]) => void): void {
    this.#events.on(name, listener as EventEmitter.EventListener<EngineEvents, Name>);
    if (this.#heard.has(name)) return;
    this.#heard.add(name);
    this.#session.on(name, (...payload) => {
      const mark = this.#mark(name, payload[0] as never);
      this.#tap.input(["engine", this.#number, name, ...mark], () =>
        this.#events.emit(name, ...(payload as EventEmitter.EventArgs<EngineEvents, Name>)),
      );
    });
  }

  sendAudio(base64: Buffer): void {
    this.#tap.sessionAudio(this.#number);
    this.#session.sendAudio(base64);
  }

  respond(order: ResponseOrder): void {
    this.#do(orderLine(order), () => this.#session.respond(order));
  }

  hold(held: boolean): void {
    this.#do(held ? "hold" : "release", () => this.#session.hold(held));
  }

  commitTurn(): void {
    this.#do("commit the turn", () => this.#session.commitTurn());
  }

  instruct(text: string): void {
    this.#do(`instruct ~${text.length}`, () => this.#session.instruct(text));
  }

  remember(facts: readonly EngineFact[]): void {
    this.#do(`remember${factsLine(facts)}`, () => this.#session.remember(facts));
  }

  say(text: string, cause: "greeting" | "say"): void {
    this.#do(`say ${cause} ~${text.length}`, () => this.#session.say(text, cause));
  }

  stop(): void {
    this.#do("stop", () => this.#session.stop());
  }

  truncate(itemId: string, heardMs: number): void {
    this.#do(`truncate ${this.#tap.nameOf(itemId)} at ${heardMs} ms`, () => this.#session.truncate(itemId, heardMs));
  }

  giveToolResult(toolCallId: string, output: string): void {
    const line = `tool result ${this.#tap.nameOf(toolCallId)} ~${output.length}`;
    this.#do(line, () => this.#session.giveToolResult(toolCallId, output));
  }

  update(patch: EnginePatch): void {
    this.#do(patchLine(patch), () => this.#session.update(patch));
  }

  close(): void {
    this.#do("close", () => this.#session.close());
  }

  #do(what: string, act: () => void): void {
    this.#tap.command(`session ${this.#number}: ${what}`, act);
  }

  readonly #pendingMark = ({ order, responseId }: PendingResponse): Field => [
    ...this.#orderMark(order),
    responseId === undefined ? null : this.#tap.learn(responseId),
  ];

  #orderMark({ cause, text, instructions }: ResponseOrder): readonly Field[] {
    return [cause, text === undefined ? null : shapeOf(text), instructions?.length ?? null];
  }

  /** What is kept of an event. */
  #mark(name: keyof EngineEvents, told: never): readonly Field[] {
    const marks: { [Name in keyof EngineEvents]: (told: Told<Name>) => readonly Field[] } = this.#marks;
    return marks[name](told);
  }

  readonly #learn = (id: string): string => this.#tap.learn(id);

  readonly #marks: { [Name in keyof EngineEvents]: (told: Told<Name>) => readonly Field[] } = {
    audio: ({ responseId, itemId, audio }) => [this.#learn(responseId), this.#learn(itemId), audio.length],
    audioDone: ({ responseId, itemId }) => [this.#learn(responseId), this.#learn(itemId)],
    speechStarted: ({ itemId, atInputMs }) => [this.#learn(itemId), atInputMs],
    speechStopped: ({ itemId, atInputMs }) => [this.#learn(itemId), atInputMs],
    turnCommitted: ({ itemId }) => [this.#learn(itemId)],
    turnEmpty: () => [],
    updated: () => [],
    callerWords: ({ itemId, text, final }) => [this.#learn(itemId), ...meaningOf(text), final],
    callerWordsFailed: ({ itemId }) => [this.#learn(itemId)],
    agentWords: ({ responseId, itemId, text, final }) => [
      this.#learn(responseId),
      this.#learn(itemId),
      ...this.#grown(itemId, text),
      final,
    ],
    responseStarted: ({ responseId, cause }) => [this.#learn(responseId), cause],
    responseEnded: ({ responseId, status, usage, failure }) => [
      this.#learn(responseId),
      status,
      usage ? USAGE.map((key) => usage[key]) : null,
      failure ? this.#failureMark(failure) : null,
    ],
    toolCalled: ({ toolCallId, name, argumentsJson }) => [
      this.#learn(toolCallId),
      name,
      argumentsMark(argumentsJson, this.#secret),
    ],
    fault: (error) => [errorMark(error)],
    noted: ({ code, message }) => [code, message.length],
    closed: ({ reason, error }) => [reason.length, error ? errorMark(error) : null],
  };

  #failureMark({ error, retryAfterMs, order }: ResponseFailure): Field {
    return [errorMark(error), retryAfterMs ?? null, order ? [...this.#orderMark(order)] : null];
  }

  /** How much of an item's text was known, and the shape of the rest. */
  #grown(itemId: string, text: string): readonly [known: number, rest: string] {
    const before = this.#texts.get(itemId) ?? "";
    const known = text.startsWith(before) ? before.length : 0;
    this.#texts.set(itemId, text);
    for (const [old] of this.#texts) {
      if (this.#texts.size <= MOST_TEXTS) break;
      this.#texts.delete(old);
    }
    return [known, shapeOf(text.slice(known))];
  }
}
