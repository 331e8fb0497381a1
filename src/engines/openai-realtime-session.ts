import { EventEmitter } from "eventemitter3";
import type {
  RealtimeClientEvent,
  RealtimeServerEvent,
  RealtimeSessionCreateRequest,
  ResponseDoneEvent,
} from "openai/resources/realtime/realtime";
import type { WebSocket } from "ws";
import { mulawMs } from "../audio/g711.ts";
import { EngineUnreachableError } from "../core/errors.ts";
import type { Usage } from "../core/events.ts";
import type { EngineConfig, EngineEvents, EnginePatch, EngineSession, EngineTool, ResponseOrder } from "./engine.ts";
import { refusal } from "./openai-errors.ts";
import type { OpenAIRealtimeOptions } from "./openai-realtime.ts";
import { ResponseSequencer } from "./response-sequencer.ts";

const APPEND_HEAD = Buffer.from('{"type":"input_audio_buffer.append","audio":"', "latin1");
const APPEND_TAIL = Buffer.from('"}', "latin1");

/** The session object that a call is opened with (OpenAI Realtime GA, `session.update`). */
export function sessionConfig(options: OpenAIRealtimeOptions, config: EngineConfig): RealtimeSessionCreateRequest {
  const ours = config.turns === "ours";
  const turnFlags = { create_response: !ours, interrupt_response: !ours };
  const { vad } = options;
  return {
    type: "realtime",
    model: options.model,
    output_modalities: ["audio"],
    instructions: config.instructions,
    tools: config.tools.map(toWireTool),
    tool_choice: "auto",
    audio: {
      input: {
        format: { type: "audio/pcmu" },
        transcription: {
          model: options.transcriptionModel,
          ...(config.language && { language: config.language.slice(0, 2) }),
        },
        turn_detection:
          vad.kind === "server"
            ? {
                type: "server_vad",
                threshold: vad.threshold,
                prefix_padding_ms: 300,
                silence_duration_ms: vad.silenceMs,
                ...turnFlags,
              }
            : { type: "semantic_vad", eagerness: vad.eagerness, ...turnFlags },
      },
      output: { format: { type: "audio/pcmu" }, voice: options.voice, speed: options.speed },
    },
  };
}

/** One conversation over one WebSocket. */
export class OpenAIRealtimeSession implements EngineSession {
  readonly model: string;
  readonly #socket: WebSocket;
  readonly #events = new EventEmitter<EngineEvents>();
  readonly #sequencer: ResponseSequencer;
  readonly #produced = new Map<string, number>();
  readonly #agentWords = new Map<string, string>();
  readonly #callerWords = new Map<string, string>();
  readonly #openTools = new Set<string>();
  #id = "";
  #closing = false;
  #configured: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #lastError: Error | undefined;

  constructor(socket: WebSocket, model: string) {
    this.model = model;
    this.#socket = socket;
    this.#sequencer = new ResponseSequencer({
      create: (order, eventId) =>
        this.#send({ type: "response.create", event_id: eventId, response: toWireResponse(order) }),
      cancel: (responseId) => this.#send({ type: "response.cancel", response_id: responseId }),
    });
    socket.on("error", (error) => {
      this.#lastError = error;
    });
    socket.on("message", (data) => this.#receive(data as Buffer));
    socket.on("close", (code) => this.#closed(code));
  }

  get id(): string {
    return this.#id;
  }

  /** Sends the configuration once the engine greets, resolves when it is accepted. @throws EngineRefusedError */
  configure(config: RealtimeSessionCreateRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#configured = { resolve, reject };
      const greet = (data: Buffer) => {
        if (parse(data)?.type !== "session.created") return;
        this.#socket.off("message", greet);
        this.#send({ type: "session.update", session: config });
      };
      this.#socket.on("message", greet);
    });
  }

  on<Name extends keyof EngineEvents>(event: Name, listener: (...payload: EngineEvents[Name]) => void): void {
    this.#events.on(event, listener as EventEmitter.EventListener<EngineEvents, Name>);
  }

  sendAudio(base64: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    // One ready Buffer: ws sends a string in two chunks.
    const size = APPEND_HEAD.length + base64.length + APPEND_TAIL.length;
    const message = Buffer.allocUnsafe(size);
    APPEND_HEAD.copy(message, 0);
    base64.copy(message, APPEND_HEAD.length);
    APPEND_TAIL.copy(message, size - APPEND_TAIL.length);
    this.#socket.send(message, { binary: false });
  }

  respond(order: ResponseOrder): void {
    this.#sequencer.request(order);
  }

  say(text: string, cause: "greeting" | "say"): void {
    const quoted = text.replaceAll('"', "'");
    this.#sequencer.request({
      cause,
      instructions: `Say exactly the following to the caller, word for word, in its own language, and nothing else: "${quoted}"`,
    });
  }

  hold(held: boolean): void {
    this.#sequencer.hold(held);
  }

  commitTurn(): void {
    this.#send({ type: "input_audio_buffer.commit" });
  }

  instruct(text: string): void {
    this.#send({
      type: "conversation.item.create",
      item: { type: "message", role: "system", content: [{ type: "input_text", text }] },
    });
  }

  stop(): void {
    this.#sequencer.stop();
  }

  truncate(itemId: string, heardMs: number): void {
    const producedMs = mulawMs(this.#produced.get(itemId) ?? 0);
    const heard = Math.floor(Math.min(heardMs, producedMs));
    if (heard <= 0) this.#send({ type: "conversation.item.delete", item_id: itemId });
    else this.#send({ type: "conversation.item.truncate", item_id: itemId, content_index: 0, audio_end_ms: heard });
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
    // Audio is left out on purpose: naming it without its format would reset µ-law.
    this.#send({
      type: "session.update",
      session: {
        type: "realtime",
        ...(patch.instructions !== undefined && { instructions: patch.instructions }),
        ...(patch.tools && { tools: patch.tools.map(toWireTool) }),
      },
    });
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.close(1000);
    else this.#socket.terminate();
  }

  #send(event: RealtimeClientEvent): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(event));
  }

  #receive(data: Buffer): void {
    const event = parse(data);
    if (!event) return;
    switch (event.type) {
      case "session.created":
        this.#id = (event.session as { id?: string }).id ?? "";
        return;
      case "session.updated":
        this.#configured?.resolve();
        this.#configured = undefined;
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
      case "response.created":
        this.#started(event.response.id ?? "");
        return;
      case "response.output_audio.delta":
        if (!this.#sequencer.isStopped(event.response_id)) this.#audio(event.response_id, event.item_id, event.delta);
        return;
      case "response.output_audio.done":
        if (!this.#sequencer.isStopped(event.response_id)) {
          this.#events.emit("audioDone", { responseId: event.response_id, itemId: event.item_id });
        }
        return;
      case "response.output_audio_transcript.delta":
        this.#words(event.response_id, event.item_id, (this.#agentWords.get(event.item_id) ?? "") + event.delta, false);
        return;
      case "response.output_audio_transcript.done":
        this.#words(event.response_id, event.item_id, event.transcript, true);
        return;
      case "response.done":
        this.#done(event);
        return;
      case "error":
        this.#failed(event.error);
        return;
    }
  }

  #started(responseId: string): void {
    const cause = this.#sequencer.created(responseId);
    this.#events.emit("responseStarted", { responseId, cause });
  }

  #audio(responseId: string, itemId: string, base64: string): void {
    const audio = Buffer.from(base64, "base64");
    this.#produced.set(itemId, (this.#produced.get(itemId) ?? 0) + audio.length);
    this.#events.emit("audio", { responseId, itemId, audio });
  }

  #words(responseId: string, itemId: string, text: string, final: boolean): void {
    if (final) this.#agentWords.delete(itemId);
    else this.#agentWords.set(itemId, text);
    this.#events.emit("agentWords", { responseId, itemId, text, final });
  }

  #done({ response }: ResponseDoneEvent): void {
    const responseId = response.id ?? "";
    const status = toStatus(response.status);
    const usage = toUsage(response.usage);
    const error = response.status_details?.error;
    if (status === "failed") {
      const code = error?.code ?? "response_failed";
      this.#events.emit(
        "fault",
        refusal(code, (error as { message?: string } | undefined)?.message ?? "a response failed."),
      );
    }
    this.#events.emit("responseEnded", { responseId, status, ...(usage && { usage }) });
    if (status === "completed") {
      for (const item of response.output ?? []) {
        if (item.type !== "function_call" || item.status !== "completed") continue;
        const toolCallId = item.call_id ?? item.id ?? "";
        this.#openTools.add(toolCallId);
        this.#events.emit("toolCalled", { toolCallId, name: item.name ?? "", argumentsJson: item.arguments ?? "{}" });
      }
    }
    this.#sequencer.ended(responseId);
  }

  #failed(error: { code?: string | null; message: string; event_id?: string | null }): void {
    const code = error.code ?? "error";
    if (this.#configured) {
      this.#configured.reject(refusal(code, error.message));
      this.#configured = undefined;
      return;
    }
    if (error.event_id) this.#sequencer.refused(error.event_id, code === "conversation_already_has_active_response");
    // Our cancel crossed the end of the response: nothing went wrong.
    if (code === "response_cancel_not_active") return;
    this.#events.emit("fault", refusal(code, error.message));
  }

  #closed(code: number): void {
    const reason = this.#closing ? "closed by us" : `the engine closed with code ${code}`;
    const error = new EngineUnreachableError(
      `The connection to the speech model was lost (code ${code}). Check the network, and OpenAI's status page.`,
      {
        cause: this.#lastError,
      },
    );
    this.#configured?.reject(error);
    this.#configured = undefined;
    this.#events.emit("closed", { reason, ...(!this.#closing && { error }) });
    this.#events.removeAllListeners();
  }
}

// --- Internal helpers ---

function parse(data: Buffer): RealtimeServerEvent | undefined {
  try {
    return JSON.parse(data.toString("utf8")) as RealtimeServerEvent;
  } catch {
    return undefined; // a frame that is no JSON says nothing; the engine never sends one
  }
}

function toWireTool(tool: EngineTool) {
  return { type: "function" as const, name: tool.name, description: tool.description, parameters: tool.parameters };
}

function toWireResponse({ cause, instructions }: ResponseOrder) {
  const verbatim = cause === "greeting" || cause === "say";
  return { ...(instructions !== undefined && { instructions }), ...(verbatim && { tool_choice: "none" as const }) };
}

function toStatus(status: string | undefined): "completed" | "cancelled" | "failed" | "incomplete" {
  return status === "cancelled" || status === "failed" || status === "incomplete" ? status : "completed";
}

function toUsage(usage: ResponseDoneEvent["response"]["usage"]): Usage | undefined {
  if (!usage) return undefined;
  const input = usage.input_token_details;
  const cached = input?.cached_tokens_details;
  return {
    inputTextTokens: input?.text_tokens ?? 0,
    inputAudioTokens: input?.audio_tokens ?? 0,
    cachedTextTokens: cached?.text_tokens ?? 0,
    cachedAudioTokens: cached?.audio_tokens ?? 0,
    outputTextTokens: usage.output_token_details?.text_tokens ?? 0,
    outputAudioTokens: usage.output_token_details?.audio_tokens ?? 0,
  };
}
