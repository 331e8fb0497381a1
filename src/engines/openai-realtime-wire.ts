import type {
  ConversationItem,
  RealtimeResponse,
  RealtimeResponseCreateParams,
  RealtimeServerEvent,
  RealtimeSessionCreateRequest,
  ResponseDoneEvent,
} from "openai/resources/realtime/realtime";
import type { Usage } from "../core/events.ts";
import type { EngineConfig, EngineFact, EngineTool, McpServer, ResponseOrder } from "./engine.ts";
import type { OpenAIRealtimeOptions } from "./openai-realtime.ts";

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
    tools: toWireTools(config.tools, config.mcpServers ?? []),
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

/** The tools as the session takes them: ours, and the servers that it calls by itself. Nobody on a call can approve. */
export function toWireTools(tools: readonly EngineTool[], mcpServers: readonly McpServer[]) {
  return [
    ...tools.map(({ name, description, parameters }) => ({ type: "function" as const, name, description, parameters })),
    ...mcpServers.map(({ label, url, authorization, allowedTools }) => ({
      type: "mcp" as const,
      server_label: label,
      server_url: url,
      ...(authorization !== undefined && { authorization }),
      ...(allowedTools && { allowed_tools: [...allowedTools] }),
      require_approval: "never" as const,
    })),
  ];
}

/** What `response.create` asks for; its label comes back in `response.created`. */
export function toWireResponse(
  { cause, instructions, text }: ResponseOrder,
  orderId: string,
): RealtimeResponseCreateParams {
  const verbatim = cause === "greeting" || cause === "say" || cause === "reply";
  const asked = text === undefined ? instructions : sayExactly(text);
  return {
    metadata: { order: orderId },
    ...(asked !== undefined && { instructions: asked }),
    ...(verbatim && { tool_choice: "none" as const }),
  };
}

/** The order that a response was made for: `null` when it bears no label, `undefined` when the engine gives none. */
export function orderOf({ metadata }: RealtimeResponse): string | null | undefined {
  return metadata === undefined ? undefined : (metadata?.["order"] ?? null);
}

/** What happened outside the session, as items of its conversation, oldest first. */
export function toWireItems(facts: readonly EngineFact[], newCallId: () => string): ConversationItem[] {
  return facts.flatMap((fact): ConversationItem[] => {
    if ("output" in fact) {
      const callId = newCallId();
      return [
        { type: "function_call", call_id: callId, name: fact.name, arguments: fact.argumentsJson },
        { type: "function_call_output", call_id: callId, output: fact.output },
      ];
    }
    return fact.speaker === "caller"
      ? [{ type: "message", role: "user", content: [{ type: "input_text", text: fact.text }] }]
      : [{ type: "message", role: "assistant", content: [{ type: "output_text", text: fact.text }] }];
  });
}

/** An event of the engine; nothing for a frame that is no JSON, which the engine never sends. */
export function parseEvent(data: Buffer): RealtimeServerEvent | undefined {
  try {
    return JSON.parse(data.toString("utf8")) as RealtimeServerEvent;
  } catch {
    return undefined; // it says nothing
  }
}

/** How a response ended. */
export function toStatus(status: string | undefined): "completed" | "cancelled" | "failed" | "incomplete" {
  return status === "cancelled" || status === "failed" || status === "incomplete" ? status : "completed";
}

/** What a response consumed. */
export function toUsage(usage: ResponseDoneEvent["response"]["usage"]): Usage | undefined {
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

// --- Internal helpers ---

function sayExactly(text: string): string {
  const quoted = text.replaceAll('"', "'");
  return `Say exactly the following to the caller, word for word, in its own language, and nothing else: "${quoted}"`;
}
