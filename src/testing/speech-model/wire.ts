import { randomBytes } from "node:crypto";

/** What JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

/** A JSON object as it crosses the wire; absent and `undefined` are the same. */
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** An event of either side. */
export interface WireEvent extends JsonObject {
  readonly type: string;
  readonly event_id?: string;
}

/** A complaint that goes to the client as an `error` event, or as a REST error body. The session stays open. */
export class WireError extends Error {
  readonly type: string;
  readonly code: string | null;
  readonly param: string | null;

  constructor(code: string | null, message: string, param: string | null = null, type = "invalid_request_error") {
    super(message);
    this.name = "WireError";
    this.type = type;
    this.code = code;
    this.param = param;
  }

  /** The error object, with the id of the client's event that caused it. */
  body(eventId: string | null = null): JsonObject {
    return { type: this.type, code: this.code, message: this.message, param: this.param, event_id: eventId };
  }
}

/** Makes an id as OpenAI's look: a prefix and 21 characters that no other id has. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(16).toString("base64url").slice(0, 21)}`;
}

/** `value` as an object; anything else is the client's fault. */
export function objectAt(value: Json | undefined, param: string): JsonObject {
  if (isObject(value)) return value;
  if (value === undefined) {
    throw new WireError("missing_required_parameter", `Missing required parameter: '${param}'.`, param);
  }
  throw new WireError("invalid_type", `Invalid type for '${param}': expected an object.`, param);
}

/** `value` as a string; anything else is the client's fault. */
export function stringAt(value: Json | undefined, param: string): string {
  if (typeof value === "string") return value;
  if (value === undefined) {
    throw new WireError("missing_required_parameter", `Missing required parameter: '${param}'.`, param);
  }
  throw new WireError("invalid_type", `Invalid type for '${param}': expected a string.`, param);
}

/** `value` as a whole number of at least `least`; anything else is the client's fault. */
export function integerAt(value: Json | undefined, param: string, least = 0): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least) return value;
  if (value === undefined) {
    throw new WireError("missing_required_parameter", `Missing required parameter: '${param}'.`, param);
  }
  throw new WireError("invalid_type", `Invalid type for '${param}': expected an integer of at least ${least}.`, param);
}

/** Whether `value` is a JSON object, not an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The same JSON, written in a way that is legal and that nobody expects: keys in reverse order, spaces, escaped
 * slashes and everything beyond ASCII as `\u` escapes. A client that scans bytes must cope.
 */
export function oddJson(value: JsonObject): string {
  const reversed = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(reversed);
    if (!isObject(node)) return node;
    return Object.fromEntries(
      Object.entries(node)
        .reverse()
        .map(([key, child]) => [key, reversed(child)]),
    );
  };
  const text = JSON.stringify(reversed(value), null, 1).replaceAll("/", "\\/");
  return text.replace(/[^\x20-\x7e\n]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
