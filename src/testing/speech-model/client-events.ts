import { isObject, type Json, WireError, type WireEvent } from "./wire.ts";

/** The client events of the API and what each may carry. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  "session.update": ["session"],
  "input_audio_buffer.append": ["audio"],
  "input_audio_buffer.commit": [],
  "input_audio_buffer.clear": [],
  "conversation.item.create": ["item", "previous_item_id"],
  "conversation.item.retrieve": ["item_id"],
  "conversation.item.truncate": ["item_id", "content_index", "audio_end_ms"],
  "conversation.item.delete": ["item_id"],
  "response.create": ["response"],
  "response.cancel": ["response_id"],
  "output_audio_buffer.clear": [],
};

/** What the `response` of a `response.create` may carry. */
export const RESPONSE_KEYS: readonly string[] = [
  ...["conversation", "input", "instructions", "metadata", "output_modalities", "audio", "max_output_tokens"],
  ...["tools", "tool_choice", "parallel_tool_calls", "reasoning", "prompt"],
];

/** Reads one message of the client's. @throws WireError when it is no JSON object with a type */
export function parseClientEvent(text: string): WireEvent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new WireError("invalid_json", "Invalid JSON: the event could not be parsed.");
  }
  if (!isObject(value)) throw new WireError("invalid_event", "Invalid event: expected a JSON object.");
  const type: Json | undefined = value["type"];
  if (typeof type === "string") return value as WireEvent;
  throw new WireError("missing_required_parameter", "Missing required parameter: 'type'.", "type");
}

/** Refuses events and parameters that the API does not know. @throws WireError naming the first of them */
export function checkClientEvent(event: WireEvent): void {
  const known = KNOWN[event.type];
  if (!known) {
    const supported = Object.keys(KNOWN)
      .map((type) => `'${type}'`)
      .join(", ");
    const message = `Invalid value: '${event.type}'. Supported values are: ${supported}.`;
    throw new WireError("invalid_value", message, "type");
  }
  for (const key of Object.keys(event)) {
    if (key === "type" || key === "event_id" || known.includes(key)) continue;
    throw new WireError("unknown_parameter", `Unknown parameter: '${key}'.`, key);
  }
}
