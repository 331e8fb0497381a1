import type { Clock } from "./core/clock.ts";
import { systemClock } from "./core/clock.ts";
import { maskNumber } from "./core/numbers.ts";
import type { Logger } from "./hosts/host.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;
/** How important a line is. */
export type LogLevel = (typeof LEVELS)[number];

/** How `jsonLogger` writes. */
export interface JsonLoggerOptions {
  /** Least important lines that are written; `info` unless told. */
  readonly level?: LogLevel;
  /** Takes one line, without its line break; standard error unless told. */
  readonly write?: (line: string) => void;
  /** Whether whole telephone numbers show; masked unless told. */
  readonly callerNumbers?: boolean;
  /** Whether fields named `text` or `words` show; left out unless told. */
  readonly words?: boolean;
  readonly clock?: Clock;
}

/** Says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Writes one JSON object a line: `time` (ISO 8601, UTC), `level`, `message`, then the fields.
 * Fields named like secrets are never shown; numbers and words only where allowed. Never throws because of a field.
 */
export function jsonLogger(options: JsonLoggerOptions = {}): Logger {
  const { level = "info", write = writeToStderr, clock = systemClock() } = options;
  const least = LEVELS.indexOf(level);
  const log = (at: LogLevel) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
    if (LEVELS.indexOf(at) < least) return;
    const own = { time: new Date(clock.now()).toISOString(), level: at, message: cleanText(message, options) };
    write(JSON.stringify({ ...own, ...cleanFields(fields, options), ...own }));
  };
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}

// --- Internal helpers ---

type Allowed = Pick<JsonLoggerOptions, "callerNumbers" | "words">;

const SECRET_WORD = /^(?:tokens?|keys?|secrets?|authorization|signatures?|passwords?|cookies?)$/;
const SPOKEN = new Set(["text", "words"]);
/** What secrets look like where no name warns of them: in messages of errors and in URLs. */
const SECRET_TEXT = /\b(?:Bearer|Basic)\s+[^\s"']+|\b(?:sk-|whsec_)[\w-]{8,}|(?<=[?&](?:token|key|secret)=)[^&\s"']+/gi;
const NUMBER_TEXT = /(?:\+|%2B)[1-9](?:[\s().-]{0,2}\d){6,14}/gi;
const DEEPEST = 6;

function writeToStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

function cleanFields(fields: Readonly<Record<string, unknown>> | undefined, allowed: Allowed): object {
  try {
    return (clean(fields ?? {}, allowed, 0) ?? {}) as object;
  } catch (error) {
    return { fieldsUnreadable: String(error) };
  }
}

function clean(value: unknown, allowed: Allowed, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return cleanText(value, allowed);
    case "bigint":
    case "symbol":
      return String(value);
    case "function":
      return "[function]";
    case "object":
      break;
    default:
      return value;
  }
  if (value === null) return null;
  if (depth >= DEEPEST) return "[deeper]"; // also ends what contains itself
  if (value instanceof Error) return cleanError(value, allowed, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.map((item) => clean(item, allowed, depth + 1));
  if (value instanceof Map || value instanceof Set) return clean([...value], allowed, depth + 1);
  const shown: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    if (SPOKEN.has(name) && !allowed.words) continue;
    shown[cleanText(name, allowed)] = isSecret(name, field) ? "[redacted]" : clean(field, allowed, depth + 1);
  }
  return shown;
}

function cleanError(error: Error, allowed: Allowed, depth: number): unknown {
  const code = "code" in error ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: error.cause };
  return clean({ name: error.name, message: error.message, ...code, ...cause }, allowed, depth + 1);
}

/** Whether a field's name speaks of a secret. A session's key is an address, and a count of tokens is a number. */
function isSecret(name: string, value: unknown): boolean {
  if (name === "sessionKey" || value === null || ["number", "boolean", "undefined"].includes(typeof value))
    return false;
  const words = name
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z\d]+/);
  return words.some((word) => SECRET_WORD.test(word)) || /^(?:apikey|authtoken)$/i.test(name);
}

function cleanText(text: string, { callerNumbers }: Allowed): string {
  const safe = text.replace(SECRET_TEXT, "[redacted]");
  return callerNumbers ? safe : safe.replace(NUMBER_TEXT, (found) => maskNumber(`+${found.replace(/^%2B|\D/gi, "")}`));
}
