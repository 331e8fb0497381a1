import type { VoiceError } from "../core/errors.ts";
import type { Usage } from "../core/events.ts";
import type { Speaker } from "../core/transcript.ts";

/** What an engine can do. The core asks these, never the engine's name. */
export interface EngineCapabilities {
  /** Whether the engine can be told what of an item was heard. */
  readonly truncation: boolean;
  /** Whether the engine can leave the decision who speaks when to us. */
  readonly ourTurns: boolean;
}

/** A function that the model may call. */
export interface EngineTool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A server of tools (Model Context Protocol) that the engine calls by itself, without us. */
export interface McpServer {
  /** What the model calls it. */
  readonly label: string;
  readonly url: string;
  /** An access token for it, without a scheme. It is written nowhere. */
  readonly authorization?: string;
  /** Names of the tools that may be used; absent: all. */
  readonly allowedTools?: readonly string[];
}

/** What a session is opened with. */
export interface EngineConfig {
  readonly instructions: string;
  readonly tools: readonly EngineTool[];
  /** None unless told. */
  readonly mcpServers?: readonly McpServer[];
  /** `ours`: the engine reports speech and waits to be asked. `server`: it answers and stops by itself. */
  readonly turns: "ours" | "server";
  /** BCP 47 language that the caller probably speaks, for transcription. */
  readonly language?: string;
  /** What was heard of the same conversation before this session, oldest first: it is gone on with, not begun again. */
  readonly history?: readonly EngineFact[];
}

/** Something that happened in the conversation outside a session. */
export type EngineFact = EngineTurn | EngineToolRun;

/** A turn of the conversation, in the words that were heard. */
export interface EngineTurn {
  readonly speaker: Speaker;
  readonly text: string;
}

/** A function that was called, and what came of it. */
export interface EngineToolRun {
  readonly name: string;
  readonly argumentsJson: string;
  readonly output: string;
}

/** What may change while a session runs. What is absent stays as it is. */
export interface EnginePatch {
  readonly instructions?: string;
  readonly tools?: readonly EngineTool[];
  readonly mcpServers?: readonly McpServer[];
}

/**
 * Why the engine is asked to speak; one response is made for each. `say` is said in any case, a `reply` of somebody else
 * who thinks is dropped when the caller interrupts.
 */
export type ResponseCause = "greeting" | "say" | "reply" | "turn" | "tool" | "idle";

/** A response to be made. */
export interface ResponseOrder {
  readonly cause: ResponseCause;
  /** For this response alone, instead of the session's instructions. */
  readonly instructions?: string;
  /** What is said word for word. */
  readonly text?: string;
}

/** A response that was ordered and has not ended. */
export interface PendingResponse {
  readonly order: ResponseOrder;
  /** Absent until the engine has begun it. */
  readonly responseId?: string;
}

/** Why a response came to nothing. */
export interface ResponseFailure {
  /** When it is not `retryable`, this engine is of no more use: its key, its budget or its account is refused. */
  readonly error: VoiceError;
  /** Set when the engine is only busy: the same order is worth a try after so long. */
  readonly retryAfterMs?: number;
  /** What was to be done; absent when the engine had begun by itself. */
  readonly order?: ResponseOrder;
}

/** What a session tells. Item ids are the engine's; `atInputMs` counts the audio it was sent. */
export interface EngineEvents {
  /** A piece of agent speech, µ-law. Pieces of one item come in order, usually faster than they play; whoever keeps one copies it. */
  audio: [piece: { responseId: string; itemId: string; audio: Buffer }];
  /** The engine has produced all audio of an item. */
  audioDone: [item: { responseId: string; itemId: string }];
  speechStarted: [at: { itemId: string; atInputMs: number }];
  speechStopped: [at: { itemId: string; atInputMs: number }];
  /** The caller's turn stands in the conversation; under `turns: "ours"` it now waits for `respond`. */
  turnCommitted: [turn: { itemId: string }];
  /** There was nothing to make a turn of when `commitTurn` asked for one. */
  turnEmpty: [];
  /** An `update` was taken: a sign of life, if nothing else. */
  updated: [];
  /** Words of the caller. Arrives late, possibly after the answer to them. */
  callerWords: [words: { itemId: string; text: string; final: boolean }];
  /** A turn of the caller was not written down and will not be. */
  callerWordsFailed: [turn: { itemId: string }];
  /**
   * Words of the agent as generated, whether heard or not: the whole text so far. May be gathered for 200 ms, but all
   * are told before anything but sound is, and at `stop` and `close`.
   */
  agentWords: [words: { responseId: string; itemId: string; text: string; final: boolean }];
  responseStarted: [response: { responseId: string; cause: ResponseCause | "engine" }];
  responseEnded: [
    response: {
      responseId: string;
      status: "completed" | "cancelled" | "failed" | "incomplete";
      usage?: Usage;
      /** Set when it failed and nobody had stopped it. */
      failure?: ResponseFailure;
    },
  ];
  /** The model wants a function called. Comes only from responses that completed. */
  toolCalled: [call: { toolCallId: string; name: string; argumentsJson: string }];
  /** Something failed; the session goes on. */
  fault: [error: VoiceError];
  /** Two things crossed on the way, as they do: worth a line in the log, no fault, and without consequence. */
  noted: [what: { code: string; message: string }];
  /** Once, last. With an error when nobody asked for it; a `retryable` one says that a new session may be had. */
  closed: [why: { reason: string; error?: VoiceError }];
}

/** A running conversation with a speech model. */
export interface EngineSession {
  /** The engine's id of the session. */
  readonly id: string;
  readonly model: string;
  /** The orders whose response has not ended, the begun one first, without those that were stopped. Outlives the session. */
  readonly pending: readonly PendingResponse[];
  on<Name extends keyof EngineEvents>(event: Name, listener: (...payload: EngineEvents[Name]) => void): void;
  /** Gives 20 ms of caller audio: µ-law as base64 text in ASCII bytes, passed on untouched. */
  sendAudio(base64: Buffer): void;
  /** Asks for a response, as soon as none is running and nothing holds it back. */
  respond(order: ResponseOrder): void;
  /** While held, no response begins: somebody speaks, and nothing is said over a human. */
  hold(held: boolean): void;
  /** Ends the caller's turn on our judgement, when the engine has not noticed that they spoke. `turnCommitted` follows. */
  commitTurn(): void;
  /** Adds a standing instruction to the conversation. Nothing is cut by it, and nothing is said because of it. */
  instruct(text: string): void;
  /** Adds what happened outside this session. Nothing is cut by it, and nothing is said because of it. */
  remember(facts: readonly EngineFact[]): void;
  /** Has the model say a text word for word. */
  say(text: string, cause: "greeting" | "say"): void;
  /** Cancels the running response and forgets those that wait. Late pieces of it are not told. */
  stop(): void;
  /** Tells the model that only `heardMs` of an item were heard; 0 removes the item. */
  truncate(itemId: string, heardMs: number): void;
  /** Gives a function's result. Once all results of a response are given, the model goes on. */
  giveToolResult(toolCallId: string, output: string): void;
  update(patch: EnginePatch): void;
  /** Ends the session. Idempotent. */
  close(): void;
}

/** Who speaks. One file implements this for one kind of model; one instance serves one account. */
export interface Engine {
  readonly capabilities: EngineCapabilities;
  /** Loads what the first call would otherwise wait for. */
  warmUp(): Promise<void>;
  /**
   * Opens a session; resolves when the engine has accepted its configuration.
   * @throws EngineRefusedError the engine said no: key, model or configuration
   * @throws EngineUnreachableError no answer
   */
  open(config: EngineConfig, signal: AbortSignal): Promise<EngineSession>;
  /** Checks that the engine can be reached with the account's key and knows its model. @throws VoiceError */
  probe(signal: AbortSignal): Promise<void>;
  /** Messages that the engine's provider posts to us; absent when it posts none. */
  readonly webhooks?: EngineWebhooks;
}

/** A call that the engine's provider offers by webhook. */
export interface EngineCallOffer {
  /** The provider's id of this message, the same for repetitions. */
  readonly key: string;
  readonly engineCallId: string;
}

/** The provider's webhooks. */
export interface EngineWebhooks {
  /**
   * Verifies and reads a message. Resolves with nothing for messages that ask for no decision.
   * @throws InvalidSignatureError it is not the provider's, or not this account's
   */
  read(body: string, headers: Readonly<Record<string, string | undefined>>): Promise<EngineCallOffer | { key: string }>;
  /** Declines an offered call with a SIP status code. @throws VoiceError */
  decline(engineCallId: string, sipStatus: number, signal: AbortSignal): Promise<void>;
}
