import type { Logger } from "../host.ts";

/** What the host hands its plugins to log with: one line of text each. */
export interface HostLog {
  debug?(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** Writes our lines into the host's log: the message, then its fields as `name=value`. */
export function hostLogger(log: HostLog): Logger {
  return {
    debug: (message, fields) => log.debug?.(line(message, fields)),
    info: (message, fields) => log.info(line(message, fields)),
    warn: (message, fields) => log.warn(line(message, fields)),
    error: (message, fields) => log.error(line(message, fields)),
  };
}

function line(message: string, fields: Readonly<Record<string, unknown>> = {}): string {
  const parts = Object.entries(fields).map(([name, value]) => `${name}=${valueText(value)}`);
  return ["voice:", message, ...parts].join(" ");
}

function valueText(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(`${value.name}: ${value.message}`);
  if (typeof value === "string" && /^\S+$/.test(value)) return value;
  return JSON.stringify(value) ?? String(value);
}
