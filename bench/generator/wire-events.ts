/*
 * Events and objects of OpenAI's Realtime wire (GA) as far as a telephone bridge meets them.
 * @see https://platform.openai.com/docs/api-reference/realtime-server-events
 */

/** An event of the wire, before it has its id. */
export interface WireEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The tool that the model calls. */
export const TOOL = "opening_hours";
/** What the caller says in every turn, in the pieces in which it is written down. */
const WORDS = ["When are you ", "open on Sunday?"];

/** What a response has become. */
export interface ResponseState {
  readonly id: string;
  readonly status: string;
  /** As it came with `response.create`: clients know their response by it. */
  readonly metadata: unknown;
  readonly details?: object | null;
  readonly output?: readonly object[];
  readonly usage?: object;
}

/** A response as `response.created` and `response.done` show it. */
export function responseBody({ id, status, metadata, details = null, output = [], usage }: ResponseState): object {
  return {
    object: "realtime.response",
    id,
    status,
    status_details: details,
    output,
    conversation_id: "conv_bench",
    output_modalities: ["audio"],
    max_output_tokens: "inf",
    audio: { output: { format: { type: "audio/pcmu" }, voice: "marin" } },
    usage: usage ?? null,
    metadata,
  };
}

/** Usage of a response that spoke for so long: 20 audio tokens a second. */
export function usageOf(audioMs: number): object {
  const output = { text_tokens: Math.round(audioMs / 200), audio_tokens: Math.ceil(audioMs / 50) };
  return {
    total_tokens: 720 + output.text_tokens + output.audio_tokens,
    input_tokens: 720,
    output_tokens: output.text_tokens + output.audio_tokens,
    input_token_details: {
      text_tokens: 600,
      audio_tokens: 120,
      image_tokens: 0,
      cached_tokens: 512,
      cached_tokens_details: { text_tokens: 512, audio_tokens: 0, image_tokens: 0 },
    },
    output_token_details: output,
  };
}

/** A session as it is told at its beginning and after each change. */
export function sessionBody(number: number, tools: readonly object[]): object {
  const format = { type: "audio/pcmu" };
  const turn_detection = { type: "server_vad", threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 500 };
  return {
    type: "realtime",
    object: "realtime.session",
    id: `sess_${number}`,
    model: "gpt-realtime-2.1",
    output_modalities: ["audio"],
    instructions: "You answer the telephone.",
    tools,
    tool_choice: "auto",
    max_output_tokens: "inf",
    audio: { input: { format, turn_detection }, output: { format, voice: "marin", speed: 1 } },
  };
}

/** The caller's turn as an item of the conversation, with its words where they are known. */
export function callerItem(id: string, transcript: string | null = WORDS.join("")): object {
  const content = [{ type: "input_audio", transcript }];
  return { id, object: "realtime.item", type: "message", status: "completed", role: "user", content };
}

/** The caller's turn is over. */
export function turnEvents(item_id: string, audio_end_ms: number): WireEvent[] {
  const item = callerItem(item_id, null);
  return [
    { type: "input_audio_buffer.speech_stopped", audio_end_ms, item_id },
    { type: "input_audio_buffer.committed", previous_item_id: null, item_id },
    { type: "conversation.item.added", previous_item_id: null, item },
    { type: "conversation.item.done", previous_item_id: null, item },
  ];
}

/** The words of the caller's turn. */
export function transcriptEvents(item_id: string): WireEvent[] {
  const name = "conversation.item.input_audio_transcription";
  const at = { item_id, content_index: 0 };
  const usage = { type: "duration", seconds: 1 };
  return [
    ...WORDS.map((delta) => ({ type: `${name}.delta`, ...at, delta })),
    { type: `${name}.completed`, ...at, transcript: WORDS.join(""), usage },
  ];
}

/** A response that calls the tool and says nothing. */
export function toolCallEvents(tag: string, metadata: unknown): WireEvent[] {
  const id = `resp_tool_${tag}`;
  const call_id = `call_${tag}`;
  const at = { response_id: id, item_id: `item_${call_id}`, output_index: 0 };
  const given = JSON.stringify({ day: "Sunday/Monday" });
  const begun = toolItem(at.item_id, call_id, "in_progress", "");
  const done = toolItem(at.item_id, call_id, "completed", given);
  const { item_id, ...place } = at;
  const result = { id, status: "completed", metadata, output: [done], usage: usageOf(0) };
  return [
    { type: "response.created", response: responseBody({ id, status: "in_progress", metadata }) },
    { type: "response.output_item.added", ...place, item: begun },
    { type: "conversation.item.added", previous_item_id: null, item: begun },
    { type: "response.function_call_arguments.delta", ...at, call_id, delta: given },
    { type: "response.function_call_arguments.done", ...at, call_id, name: TOOL, arguments: given },
    { type: "conversation.item.done", previous_item_id: null, item: done },
    { type: "response.output_item.done", ...place, item: done },
    { type: "response.done", response: responseBody(result) },
  ];
}

// --- Internal helpers ---

function toolItem(id: string, call_id: string, status: string, given: string): object {
  return { id, object: "realtime.item", type: "function_call", status, name: TOOL, call_id, arguments: given };
}
