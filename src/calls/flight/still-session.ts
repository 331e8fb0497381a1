import { EventEmitter } from "eventemitter3";
import { MULAW_SILENCE } from "../../audio/g711.ts";
import type {
  EngineEvents,
  EngineSession,
  PendingResponse,
  ResponseCause,
  ResponseOrder,
} from "../../engines/engine.ts";
import { argumentsLike, errorLike, meaningless } from "./redact.ts";
import { USAGE } from "./session.ts";
import type { Field } from "./tap.ts";

type OrderMark = readonly [
  cause: ResponseCause,
  text: string | null,
  instructions: number | null,
  responseId: string | null,
];
type FailureMark = readonly [error: Field, retryAfterMs: number | null, order: OrderMark | null];

/** A session that says what it is told to. */
export class StillSession implements EngineSession {
  readonly id: string;
  readonly model: string;
  readonly #number: number;
  readonly #seen: ReadonlyMap<string, string>;
  readonly #events = new EventEmitter<EngineEvents>();
  readonly #texts = new Map<string, string>();

  constructor(id: string, model: string, number: number, seen: ReadonlyMap<string, string>) {
    this.id = id;
    this.model = model;
    this.#number = number;
    this.#seen = seen;
  }

  get pending(): readonly PendingResponse[] {
    const marks = JSON.parse(this.#seen.get(`pending ${this.#number}`) ?? "[]") as OrderMark[];
    return marks.map((mark) => ({ order: orderLike(mark), ...(mark[3] !== null && { responseId: mark[3] }) }));
  }

  on<Name extends keyof EngineEvents>(name: Name, listener: (...payload: EngineEvents[Name]) => void): void {
    this.#events.on(name, listener as EventEmitter.EventListener<EngineEvents, Name>);
  }

  tell<Name extends keyof EngineEvents>(name: Name, fields: never[]): void {
    const tells: Readonly<Record<string, (...fields: never[]) => unknown>> = this.#tells;
    const payload = tells[name]?.(...fields);
    const told = (payload === undefined ? [] : [payload]) as EngineEvents[Name];
    this.#events.emit(name, ...(told as EventEmitter.EventArgs<EngineEvents, Name>));
  }

  sendAudio(): void {}
  respond(): void {}
  hold(): void {}
  commitTurn(): void {}
  instruct(): void {}
  remember(): void {}
  say(): void {}
  stop(): void {}
  truncate(): void {}
  giveToolResult(): void {}
  update(): void {}
  close(): void {}

  readonly #tells: { [Name in keyof EngineEvents]: (...fields: never[]) => EngineEvents[Name][0] } = {
    audio: (responseId: string, itemId: string, bytes: number) => ({
      responseId,
      itemId,
      audio: Buffer.alloc(bytes, MULAW_SILENCE),
    }),
    audioDone: (responseId: string, itemId: string) => ({ responseId, itemId }),
    speechStarted: (itemId: string, atInputMs: number) => ({ itemId, atInputMs }),
    speechStopped: (itemId: string, atInputMs: number) => ({ itemId, atInputMs }),
    turnCommitted: (itemId: string) => ({ itemId }),
    turnEmpty: () => undefined,
    updated: () => undefined,
    callerWords: (itemId: string, length: number, meaning: string, final: boolean) => ({
      itemId,
      text: meaningless([length, meaning]),
      final,
    }),
    callerWordsFailed: (itemId: string) => ({ itemId }),
    agentWords: (responseId: string, itemId: string, known: number, rest: string, final: boolean) => {
      const text = (this.#texts.get(itemId) ?? "").slice(0, known) + rest;
      this.#texts.set(itemId, text);
      return { responseId, itemId, text, final };
    },
    responseStarted: (responseId: string, cause: ResponseCause) => ({ responseId, cause }),
    responseEnded: (responseId: string, status: "completed", usage: number[] | null, failure: FailureMark | null) => ({
      responseId,
      status,
      ...(usage && { usage: usageLike(usage) }),
      ...(failure && { failure: failureLike(failure) }),
    }),
    toolCalled: (toolCallId: string, name: string, mark: string) => ({
      toolCallId,
      name,
      argumentsJson: argumentsLike(mark),
    }),
    fault: (error: Field) => errorLike(error) as EngineEvents["fault"][0],
    noted: (code: string, length: number) => ({ code, message: "x".repeat(length) }),
    closed: (length: number, error: Field) => ({
      reason: "x".repeat(length),
      ...(error !== null && { error: errorLike(error) as EngineEvents["fault"][0] }),
    }),
  };
}

// --- Internal helpers ---

function orderLike([cause, text, instructions]: OrderMark): ResponseOrder {
  return {
    cause,
    ...(text !== null && { text }),
    ...(instructions !== null && { instructions: "x".repeat(instructions) }),
  };
}

function failureLike([error, retryAfterMs, order]: FailureMark) {
  return {
    error: errorLike(error) as EngineEvents["fault"][0],
    ...(retryAfterMs !== null && { retryAfterMs }),
    ...(order && { order: orderLike(order) }),
  };
}

const usageLike = (counts: readonly number[]) =>
  Object.fromEntries(USAGE.map((key, at) => [key, counts[at] ?? 0])) as Record<(typeof USAGE)[number], number>;
