import type { CallSummary } from "../core/call.ts";
import type { CallEvent } from "../core/events.ts";
import type { Finding, StatusReport } from "../http/doors.ts";

/** What a command may touch of the world. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes a line of results. */
  out(line: string): void;
  /** Writes a line about the command itself. */
  err(line: string): void;
  /** Aborted when the person at the terminal, or the system, wants the command to end. */
  readonly stop: AbortSignal;
}

/** One call on one line. */
export function callLine(call: CallSummary): string {
  const at = new Date(call.createdAtMs).toISOString().slice(0, 19).replace("T", " ");
  const state = call.endReason ? `${call.state} (${call.endReason})` : call.state;
  const way = call.direction === "inbound" ? `from ${call.from}` : `to ${call.to}`;
  return `${at}  ${call.callId}  ${way}  ${state}  ${call.turns} turns${lasted(call)}`;
}

/** The channel's state as a few lines. */
export function statusLines(report: StatusReport): string[] {
  const at = report.listening ? `listens on ${report.listening.host}:${report.listening.port}` : "listens nowhere";
  return [
    `The voice channel ${report.version} ${report.running ? "runs" : "does not run"} and ${at}; live calls: ${report.liveCalls}.`,
    ...report.accounts.map(({ accountId, state, number, liveCalls, problem }) => {
      const of = number === undefined ? "" : ` ${number}`;
      return `${accountId}${of}: ${state}, live calls: ${liveCalls}${problem ? `. ${problem}` : ""}`;
    }),
    ...[...report.settings, ...report.host].filter(({ level }) => level !== "ok").map(findingLine),
  ];
}

/** One finding of `doctor` on one line, with its remedy. */
export function findingLine({
  level,
  check,
  message,
  remedy,
  accountId,
}: Omit<Finding, "accountId"> & Partial<Pick<Finding, "accountId">>): string {
  const where = accountId === undefined ? check : `${accountId}: ${check}`;
  return `${level === "ok" ? "ok     " : level === "warning" ? "warning" : "error  "}  ${where}: ${message}${remedy ? ` ${remedy}` : ""}`;
}

/** What happened on a call, on one line; the time counts from the call's first event. */
export function eventLine(event: CallEvent, startedAtMs: number): string {
  const seconds = ((event.atMs - startedAtMs) / 1000).toFixed(1).padStart(7);
  if (event.type === "transcript.added") return `${seconds} s  ${event.entry.speaker}: ${event.entry.text}`;
  const { type, atMs: _atMs, ...rest } = event;
  const facts = Object.entries(rest).filter(([, value]) => typeof value !== "object");
  return `${seconds} s  ${type}${facts.map(([name, value]) => ` ${name}=${value}`).join("")}`;
}

// --- Internal helpers ---

function lasted({ answeredAtMs, endedAtMs }: CallSummary): string {
  if (answeredAtMs === undefined || endedAtMs === undefined) return "";
  return `  ${Math.round((endedAtMs - answeredAtMs) / 1000)} s`;
}
