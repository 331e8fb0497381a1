import type { Writable } from "node:stream";
import { EventEmitter } from "eventemitter3";
import type {
  RealtimeClientEvent,
  RealtimeServerEvent,
  RealtimeSessionCreateRequest,
  ResponseDoneEvent,
} from "openai/resources/realtime/realtime";
import type { WebSocket } from "ws";
import { mulawMs } from "../audio/g711.ts";
import type { Clock } from "../core/clock.ts";
import { EngineUnreachableError, type VoiceError } from "../core/errors.ts";
import { readTexts } from "../core/text-messages.ts";
import { AgentWords, type WordsSoFar } from "./agent-words.ts";
import type {
  EngineConfig,
  EngineEvents,
  EngineFact,
  EnginePatch,
  EngineSession,
  EngineTool,
  McpServer,
  PendingResponse,
  ResponseOrder,
} from "./engine.ts";
import { AppendFrames, type AudioDeltaScan, createAudioDeltaScan, saysNothing } from "./openai-bytes.ts";
import { isAccountRefused, isCrossing, refusal, responseFailure, silent, stalled } from "./openai-errors.ts";
import {
  orderOf,
  parseEvent,
  toStatus,
  toUsage,
  toWireItems,
  toWireResponse,
  toWireTools,
} from "./openai-realtime-wire.ts";
import { ResponseSequencer } from "./response-sequencer.ts";
import { SharedReads } from "./shared-reads.ts";

/** Within this time an engine that lives has begun what it was asked for, and ended what was cancelled. */
const ANSWER_MS = 6_000;
/** A model that thinks before it speaks may pause so long within a response. */
const PAUSE_MS = 12_000;
/** How a client event begins its id whose refusal changes nothing. */
const CROSSING = "crossing_";
/** Caller audio that the model does not take is dropped, rather than queued without bound and heard late. */
const MAX_BUFFERED_BYTES = 256 * 1024;

/** Memory that all sessions of an engine share: what is in it is needed for a moment only. */
export class SessionMemory {
  readonly reads = new SharedReads();
  readonly appends = new AppendFrames();
  readonly scanAudio: AudioDeltaScan = createAudioDeltaScan();
}

/** One conversation over one WebSocket. */
export class OpenAIRealtimeSession implements EngineSession {
  readonly model: string;
  readonly #socket: WebSocket;
  /** The connection below the socket, once it stands: the caller's audio goes out on it as frames of ours. */
  #wire: Writable | undefined;
  readonly #memory: SessionMemory;
  readonly #events = new EventEmitter<EngineEvents>();
  readonly #sequencer: ResponseSequencer;
  readonly #produced = new Map<string, number>();
  readonly #agentWords: AgentWords;
  readonly #callerWords = new Map<string, string>();
  readonly #openTools = new Set<string>();
  #tools: readonly EngineTool[] = [];
  #mcpServers: readonly McpServer[] = [];
  #id = "";
  #isStalled = false;
  #count = 0;
  #closing = false;
  #over = false;
  #opening: { config: RealtimeSessionCreateRequest; resolve: () => void; reject: (error: Error) => void } | undefined;
  #lastError: Error | undefined;

  constructor(socket: WebSocket, memory: SessionMemory, model: string, clock: Clock) {
    this.model = model;
    this.#socket = socket;
    this.#memory = memory;
    this.#agentWords = new AgentWords(clock, (words) => this.#told(words, false));
    this.#sequencer = new ResponseSequencer({
      create: (order, orderId) =>
        this.#send({ type: "response.create", event_id: orderId, response: toWireResponse(order, orderId) }),
      cancel: (responseId) => this.#sendCrossing({ type: "response.cancel", response_id: responseId }),
      watch: { clock, answerMs: ANSWER_MS, pauseMs: PAUSE_MS, overdue: () => this.#giveUp(silent()) },
    });
    socket.once("upgrade", (response) => {
      this.#wire = response.socket;
      socket.once("open", () => readTexts(socket, response.socket, false, memory.reads));
    });
    socket.on("error", (error) => {
      this.#lastError = error;
    });
    socket.on("message", (data) => this.#receive(data as Buffer));
    socket.on("close", (code) => this.#ended(code));
  }

  get id(): string {
    return this.#id;
  }

  get pending(): readonly PendingResponse[] {
    return this.#sequencer.pending;
  }

  /**
   * Sends the configuration once the engine greets, and what the session is to know once that is accepted.
   * @throws EngineRefusedError
   */
  async configure(config: RealtimeSessionCreateRequest, asked: EngineConfig): Promise<void> {
    this.#tools = asked.tools;
    this.#mcpServers = asked.mcpServers ?? [];
    await new Promise<void>((resolve, reject) => {
      this.#opening = { config, resolve, reject };
    });
    this.remember(asked.history ?? []);
  }

  on<Name extends keyof EngineEvents>(event: Name, listener: (...payload: EngineEvents[Name]) => void): void {
    this.#events.on(event, listener as EventEmitter.EventListener<EngineEvents, Name>);
  }

  sendAudio(base64: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      if (!this.#isStalled) this.#events.emit("fault", stalled());
      this.#isStalled = true;
      return;
    }
    this.#isStalled = false;
    // Nothing of ours is ever compressed or in fragments: whole frames may stand behind each other on the wire.
    if (this.#wire) this.#memory.appends.write(base64, this.#wire);
  }

  respond(order: ResponseOrder): void {
    this.#sequencer.request(order);
  }

  say(text: string, cause: "greeting" | "say"): void {
    this.#sequencer.request({ cause, text });
  }

  hold(held: boolean): void {
    this.#sequencer.hold(held);
  }

  commitTurn(): void {
    this.#sendCrossing({ type: "input_audio_buffer.commit" });
  }

  instruct(text: string): void {
    this.#send({
      type: "conversation.item.create",
      item: { type: "message", role: "system", content: [{ type: "input_text", text }] },
    });
  }

  remember(facts: readonly EngineFact[]): void {
    const newCallId = () => `call_before_${++this.#count}`;
    for (const item of toWireItems(facts, newCallId)) this.#send({ type: "conversation.item.create", item });
  }

  stop(): void {
    this.#agentWords.tell(); // what was heard of them is asked next
    this.#sequencer.stop();
  }

  truncate(itemId: string, heardMs: number): void {
    const producedMs = mulawMs(this.#produced.get(itemId) ?? 0);
    const heard = Math.floor(Math.min(heardMs, producedMs));
    this.#sendCrossing(
      heard <= 0
        ? { type: "conversation.item.delete", item_id: itemId }
        : { type: "conversation.item.truncate", item_id: itemId, content_index: 0, audio_end_ms: heard },
    );
  }

  giveToolResult(toolCallId: string, output: string): void {
    if (!this.#openTools.delete(toolCallId)) return;
    this.#send({
      type: "conversation.item.create",
      item: { type: "function_call_output", call_id: toolCallId, output },
    });
    if (this.#openTools.size === 0) this.#sequencer.request({ cause: "tool" });
  }

  update(patch: EnginePatch): void {
    // Both are one list on the wire: a change of one names the other again.
    this.#tools = patch.tools ?? this.#tools;
    this.#mcpServers = patch.mcpServers ?? this.#mcpServers;
    // Audio is left out on purpose: naming it without its format would reset µ-law.
    this.#send({
      type: "session.update",
      session: {
        type: "realtime",
        ...(patch.instructions !== undefined && { instructions: patch.instructions }),
        ...((patch.tools || patch.mcpServers) && { tools: toWireTools(this.#tools, this.#mcpServers) }),
      },
    });
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#agentWords.tell();
    this.#sequencer.close();
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.close(1000);
    else this.#socket.terminate();
  }

  #send(event: RealtimeClientEvent): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(event));
  }

  /** Sends what may cross an event that makes it needless: a refusal of it is no fault. */
  #sendCrossing(event: RealtimeClientEvent): void {
    this.#send({ ...event, event_id: `${CROSSING}${++this.#count}` });
  }

  #receive(data: Buffer): void {
    if (this.#over) return;
    this.#sequencer.alive();
    const piece = this.#memory.scanAudio(data);
    if (piece) {
      this.#audio(piece.responseId, piece.itemId, piece.audio);
      return;
    }
    const event = saysNothing(data) ? undefined : parseEvent(data);
    if (event) this.#take(event);
  }

  #take(event: RealtimeServerEvent): void {
    if (event.type !== "response.output_audio_transcript.delta") this.#agentWords.tell();
    switch (event.type) {
      case "session.created":
        this.#id = (event.session as { id?: string }).id ?? "";
        if (this.#opening) this.#send({ type: "session.update", session: this.#opening.config });
        return;
      case "session.updated":
        if (this.#opening) this.#opening.resolve();
        else this.#events.emit("updated");
        this.#opening = undefined;
        return;
      case "input_audio_buffer.speech_started":
        this.#events.emit("speechStarted", { itemId: event.item_id, atInputMs: event.audio_start_ms });
        return;
      case "input_audio_buffer.speech_stopped":
        this.#events.emit("speechStopped", { itemId: event.item_id, atInputMs: event.audio_end_ms });
        return;
      case "input_audio_buffer.committed":
        this.#events.emit("turnCommitted", { itemId: event.item_id });
        return;
      case "conversation.item.input_audio_transcription.delta": {
        const text = (this.#callerWords.get(event.item_id) ?? "") + (event.delta ?? "");
        this.#callerWords.set(event.item_id, text);
        this.#events.emit("callerWords", { itemId: event.item_id, text, final: false });
        return;
      }
      case "conversation.item.input_audio_transcription.completed":
        this.#callerWords.delete(event.item_id);
        this.#events.emit("callerWords", { itemId: event.item_id, text: event.transcript, final: true });
        return;
      case "conversation.item.input_audio_transcription.failed":
        this.#callerWords.delete(event.item_id);
        this.#events.emit("callerWordsFailed", { itemId: event.item_id });
        this.#events.emit(
          "fault",
          refusal(event.error.code ?? "transcription_failed", event.error.message ?? "a turn was not transcribed."),
        );
        return;
      case "response.created": {
        const responseId = event.response.id ?? "";
        const cause = this.#sequencer.created(responseId, orderOf(event.response));
        this.#events.emit("responseStarted", { responseId, cause });
        return;
      }
      case "response.output_audio.delta":
        this.#audio(event.response_id, event.item_id, Buffer.from(event.delta, "base64"));
        return;
      case "response.output_audio.done":
        if (this.#sequencer.takes(event.response_id)) {
          this.#events.emit("audioDone", { responseId: event.response_id, itemId: event.item_id });
        }
        return;
      case "response.output_audio_transcript.delta":
        this.#agentWords.add(event.response_id, event.item_id, event.delta);
        return;
      case "response.output_audio_transcript.done":
        this.#agentWords.complete(event.item_id);
        this.#told({ responseId: event.response_id, itemId: event.item_id, text: event.transcript }, true);
        return;
      case "response.done":
        this.#done(event);
        return;
      case "mcp_list_tools.failed":
      case "response.mcp_call.failed":
        this.#events.emit("noted", {
          code: event.type,
          message: "A server of tools failed; the model goes on without.",
        });
        return;
      case "error":
        this.#failed(event.error);
        return;
    }
  }

  #audio(responseId: string, itemId: string, audio: Buffer): void {
    if (!this.#sequencer.takes(responseId)) return;
    this.#produced.set(itemId, (this.#produced.get(itemId) ?? 0) + audio.length);
    this.#events.emit("audio", { responseId, itemId, audio });
  }

  #told(words: WordsSoFar, final: boolean): void {
    if (!this.#sequencer.isStopped(words.responseId)) this.#events.emit("agentWords", { ...words, final });
  }

  #done({ response }: ResponseDoneEvent): void {
    const responseId = response.id ?? "";
    const { order, stopped } = this.#sequencer.ended(responseId);
    const status = toStatus(response.status);
    const usage = toUsage(response.usage);
    const failure = status === "failed" ? responseFailure(response.status_details?.error, order) : undefined;
    if (failure) this.#events.emit("fault", failure.error);
    this.#events.emit("responseEnded", {
      responseId,
      status,
      ...(usage && { usage }),
      ...(failure && !stopped && { failure }),
    });
    if (status !== "completed") return;
    for (const item of response.output ?? []) {
      if (item.type !== "function_call" || item.status !== "completed") continue;
      const toolCallId = item.call_id ?? item.id ?? "";
      this.#openTools.add(toolCallId);
      this.#events.emit("toolCalled", { toolCallId, name: item.name ?? "", argumentsJson: item.arguments ?? "{}" });
    }
  }

  #failed(error: { code?: string | null; message: string; event_id?: string | null }): void {
    const code = error.code ?? "error";
    if (this.#opening) {
      this.#opening.reject(refusal(code, error.message));
      this.#opening = undefined;
      return;
    }
    const eventId = error.event_id ?? "";
    if (isAccountRefused(code)) {
      this.#giveUp(refusal(code, error.message));
      return;
    }
    const isBusy = code === "conversation_already_has_active_response";
    const order = this.#sequencer.refused(eventId, isBusy);
    if ((order && isBusy) || eventId.startsWith(CROSSING) || isCrossing(code, error.message)) {
      this.#events.emit("noted", { code, message: error.message });
      if (code === "input_audio_buffer_commit_empty") this.#events.emit("turnEmpty");
      return;
    }
    this.#events.emit("fault", refusal(code, error.message));
  }

  /** This session is of no more use, though its socket may be open. */
  #giveUp(error: VoiceError): void {
    if (this.#over) return;
    this.#socket.terminate();
    this.#end({ reason: error.message, error });
  }

  #ended(code: number): void {
    const error = new EngineUnreachableError(
      `The connection to the speech model was lost (code ${code}). Check the network, and OpenAI's status page.`,
      { cause: this.#lastError },
    );
    this.#opening?.reject(error);
    this.#opening = undefined;
    const reason = this.#closing ? "closed by us" : `the engine closed with code ${code}`;
    this.#end({ reason, ...(!this.#closing && { error }) });
  }

  #end(why: EngineEvents["closed"][0]): void {
    if (this.#over) return;
    this.#agentWords.tell();
    this.#over = true;
    this.#sequencer.close();
    this.#events.emit("closed", why);
    this.#events.removeAllListeners();
  }
}
