import { jsonLogger, type LogLevel } from "../../logger.ts";
import type { Logger } from "../host.ts";

/** What the host hands its plugins to log with: one line of text each. */
export interface HostLog {
  debug?(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What `logging` of the channel's settings lets show. */
export interface Showing {
  readonly level: LogLevel;
  readonly callerNumbers: boolean;
  readonly words: boolean;
}

/** Writes our lines into the host's log: the message, then its fields as `name=value`, cleaned as standalone ones are. */
export function hostLogger(log: HostLog, showing: Showing): Logger {
  const at = (level: LogLevel) => jsonLogger({ ...showing, write: (json) => log[level]?.(plainLine(json)) })[level];
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** The host adds time and level itself. */
function plainLine(json: string): string {
  const { time: _time, level: _level, message, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const parts = Object.entries(fields).map(([name, value]) => `${name}=${valueText(value)}`);
  return ["voice:", message, ...parts].join(" ");
}

function valueText(value: unknown): string {
  return typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
