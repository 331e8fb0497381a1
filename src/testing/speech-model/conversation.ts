import { onlyKnown } from "./session-config.ts";
import { isObject, type Json, type JsonObject, newId, objectAt, stringAt, WireError } from "./wire.ts";

/** One item of the conversation: what the wire shows, and what only the simulator knows. */
export interface ModelItem {
  readonly id: string;
  readonly type: "message" | "function_call" | "function_call_output" | (string & {});
  readonly role?: "user" | "assistant" | "system";
  status: "in_progress" | "completed" | "incomplete";
  /** What the model takes from this item: words typed, heard or spoken; cut when the item is truncated. */
  text: string;
  /** Milliseconds of audio in it; for the assistant's, what was produced or what a truncation left. */
  audioMs: number;
  /** Function calls and their outputs. */
  readonly name?: string;
  readonly callId?: string;
  arguments?: string;
  readonly output?: string;
  /** Whether the assistant's transcript was deleted by a truncation. */
  truncated: boolean;
  /** The kinds of its content parts, as the wire names them. */
  readonly parts: JsonObject[];
}

/** The items of one session, in order. */
export interface Conversation {
  readonly id: string;
  readonly items: readonly ModelItem[];
  /** Adds an item, at the end or after `previousItemId` (`"root"`: first); returns the id before it. */
  add(item: ModelItem, previousItemId?: string): string | null;
  find(id: string): ModelItem | undefined;
  /** @throws WireError when there is none */
  get(id: string, verb: "retrieve" | "delete" | "truncate"): ModelItem;
  delete(id: string): void;
  /** Cuts an assistant's audio. @throws WireError when it is not audio of the assistant, or shorter already */
  truncate(id: string, audioEndMs: number): void;
  previousOf(item: ModelItem): string | null;
}

export function newConversation(): Conversation {
  const items: ModelItem[] = [];
  const find = (id: string): ModelItem | undefined => items.find((item) => item.id === id);
  const get: Conversation["get"] = (id, verb) => {
    const item = find(id);
    if (item) return item;
    const doing = { retrieve: "retrieving", delete: "deleting", truncate: "truncating" }[verb];
    throw new WireError(
      `item_${verb}_invalid_item_id`,
      `Error ${doing} item: the item with id '${id}' does not exist.`,
      "item_id",
    );
  };
  return {
    id: newId("conv"),
    items,
    find,
    get,
    add(item, previousItemId) {
      if (find(item.id)) {
        const message = `Error adding item: an item with id '${item.id}' already exists.`;
        throw new WireError("item_create_duplicate_item_id", message, "item.id");
      }
      const at = previousItemId === undefined ? items.length : placeAfter(items, previousItemId);
      items.splice(at, 0, item);
      return items[at - 1]?.id ?? null;
    },
    delete: (id) => void items.splice(items.indexOf(get(id, "delete")), 1),
    truncate(id, audioEndMs) {
      const item = get(id, "truncate");
      if (item.role !== "assistant" || !item.parts.some((part) => part["type"] === "output_audio")) {
        throw new WireError("invalid_value", "Only model output audio messages can be truncated.", "item_id");
      }
      const hasMs = Math.floor(item.audioMs);
      if (audioEndMs > hasMs) {
        throw new WireError(null, `Audio content of ${hasMs}ms is already shorter than ${audioEndMs}ms`);
      }
      item.text = spokenShare(item.text, item.audioMs === 0 ? 0 : audioEndMs / item.audioMs);
      item.audioMs = audioEndMs;
      item.truncated = true;
    },
    previousOf: (item) => items[items.indexOf(item) - 1]?.id ?? null,
  };
}

/** The words of `text` that begin within the first `share` (0..1) of its sound. */
export function spokenShare(text: string, share: number): string {
  if (share >= 1) return text;
  const end = text.length * share;
  const words = [...text.matchAll(/\S+\s*/g)].filter((word) => word.index < end);
  return words
    .map(([word]) => word)
    .join("")
    .trimEnd();
}

/** An item as events show it. */
export function wireItem(item: ModelItem): JsonObject {
  const base = { id: item.id, object: "realtime.item", type: item.type, status: item.status };
  if (item.type === "function_call") {
    return { ...base, name: item.name, call_id: item.callId, arguments: item.arguments };
  }
  if (item.type === "function_call_output") return { ...base, call_id: item.callId, output: item.output };
  const content = item.parts.map((part): JsonObject => {
    if (part["type"] === "output_audio") return item.truncated ? part : { ...part, transcript: item.text };
    if (part["type"] === "output_text") return { ...part, text: item.text };
    return part;
  });
  return { ...base, role: item.role, content };
}

/** An item that a client describes. @throws WireError naming what is wrong with it */
export function parseItem(value: Json | undefined, path = "item"): ModelItem {
  const given = objectAt(value, path);
  const type = stringAt(given["type"], `${path}.type`);
  const id = given["id"] === undefined ? newId("item") : stringAt(given["id"], `${path}.id`);
  const base = { id, type, status: "completed", audioMs: 0, truncated: false, parts: [], text: "" } as const;
  if (type === "function_call_output") {
    onlyKnown(given, ["id", "object", "type", "status", "call_id", "output"], path);
    const output = stringAt(given["output"], `${path}.output`);
    return { ...base, callId: stringAt(given["call_id"], `${path}.call_id`), output, text: output, parts: [] };
  }
  if (type === "function_call") {
    onlyKnown(given, ["id", "object", "type", "status", "call_id", "name", "arguments"], path);
    const name = stringAt(given["name"], `${path}.name`);
    const args = stringAt(given["arguments"], `${path}.arguments`);
    const callId = given["call_id"] === undefined ? newId("call") : stringAt(given["call_id"], `${path}.call_id`);
    return { ...base, callId, name, arguments: args, text: args, parts: [] };
  }
  if (type !== "message") throw new WireError("invalid_value", `Invalid value: '${type}'.`, `${path}.type`);
  onlyKnown(given, ["id", "object", "type", "status", "role", "content"], path);
  const role = stringAt(given["role"], `${path}.role`) as "user" | "assistant" | "system";
  const kinds = CONTENT[role];
  if (!kinds) throw new WireError("invalid_value", `Invalid value: '${role}'.`, `${path}.role`);
  if (!Array.isArray(given["content"])) {
    throw new WireError("missing_required_parameter", `Missing required parameter: '${path}.content'.`, path);
  }
  const parts = (given["content"] as readonly Json[]).map((part, index) => {
    const at = `${path}.content[${index}]`;
    const kind = stringAt(objectAt(part, at)["type"], `${at}.type`);
    if (!kinds.includes(kind)) {
      const message = `Invalid value: '${kind}'. Content of a ${role} message is one of: ${kinds.join(", ")}.`;
      throw new WireError("invalid_value", message, `${at}.type`);
    }
    return part as JsonObject;
  });
  const text = parts.map((part) => part["text"] ?? part["transcript"] ?? "").join(" ");
  return { ...base, role, parts, text };
}

/** An item that the server makes itself. */
export function newItem(
  item: Pick<ModelItem, "type" | "status"> & Partial<Omit<ModelItem, "type" | "status">>,
): ModelItem {
  return { id: newId("item"), text: "", audioMs: 0, truncated: false, parts: [], ...item };
}

/** Whether `value` refers to an item instead of describing one. */
export function isReference(value: Json): value is JsonObject & { readonly id: string } {
  return isObject(value) && value["type"] === "item_reference" && typeof value["id"] === "string";
}

// --- Internal helpers ---

const CONTENT: Readonly<Record<string, readonly string[]>> = {
  system: ["input_text"],
  user: ["input_text", "input_audio", "input_image"],
  assistant: ["output_text", "output_audio"],
};

function placeAfter(items: readonly ModelItem[], previousItemId: string): number {
  if (previousItemId === "root") return 0;
  const at = items.findIndex((item) => item.id === previousItemId);
  if (at >= 0) return at + 1;
  const message = `Error adding item: the previous item with id '${previousItemId}' does not exist.`;
  throw new WireError("item_create_invalid_previous_item_id", message, "previous_item_id");
}
