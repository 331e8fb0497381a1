import { createHmac } from "node:crypto";
import { VoiceError, type VoiceErrorCode } from "../../core/errors.ts";
import { weigh } from "../back-channel.ts";
import type { Field } from "./tap.ts";

/** A text of which only the lengths of its words are left: it is cut at the same places. */
export function shapeOf(text: string): string {
  let shape = "";
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const isSpace = code === 0x20 || ((code < 0x20 || code > 0x7e) && /\s/.test(text.charAt(i)));
    shape += isSpace ? " " : "x";
  }
  return shape;
}

const FILLERS = { words: "x", "back-channel": "m", nothing: "-", blank: " " } as const;

/** What is kept of a caller's words: how many characters, and what they mean for who may speak. */
export function meaningOf(text: string): readonly [length: number, meaning: string] {
  return [text.length, text.trim() === "" ? "blank" : weigh(text)];
}

/** Words that mean the same. */
export function meaningless([length, meaning]: readonly [length: number, meaning: string]): string {
  return FILLERS[meaning as keyof typeof FILLERS].repeat(length);
}

/** What is kept of the arguments of a tool: whether they can be read, and a mark by which equal ones are told. */
export function argumentsMark(json: string, key: string): string {
  const mark = createHmac("sha256", key).update(json).digest("hex").slice(0, 8);
  try {
    const parsed: unknown = JSON.parse(json || "{}");
    const readable = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
    return `${readable ? "object" : "value"}:${mark}`;
  } catch {
    return `broken:${mark}`;
  }
}

/** Arguments of which as much is true. */
export function argumentsLike(mark: string): string {
  const [kind] = mark.split(":");
  return kind === "object" ? JSON.stringify({ mark }) : kind === "value" ? JSON.stringify([mark]) : mark;
}

/** Keys as they may be kept: which digit was pressed is nobody's business, unless it ends an entry. */
export function keysLike(keys: string, kept: ReadonlySet<string>): string {
  const other = [..."5678"].find((digit) => !kept.has(digit)) as string;
  return keys.replace(/\d/g, (digit) => (kept.has(digit) ? digit : other));
}

/** What is kept of an error: its code, whether another try may help, and how long its message is as JSON. */
export function errorMark(error: unknown): Field {
  const message = error instanceof Error ? error.message : String(error);
  const length = JSON.stringify(message).length - 2;
  return error instanceof VoiceError ? [error.code, error.retryable, length] : ["", false, length];
}

/** An error of which as much is true. */
export function errorLike(mark: Field): VoiceError | Error {
  const [code, retryable, length] = mark as [VoiceErrorCode | "", boolean, number];
  const message = "x".repeat(length);
  return code === "" ? new Error(message) : new RecordedError(code, retryable, message);
}

/** An error of a call that is replayed. */
class RecordedError extends VoiceError {
  readonly code: VoiceErrorCode;
  override readonly retryable: boolean;

  constructor(code: VoiceErrorCode, retryable: boolean, message: string) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}
