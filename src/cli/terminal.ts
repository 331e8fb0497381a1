import type { ErasureReceipt } from "../calls/erasure.ts";
import type { CallSummary } from "../core/call.ts";
import type { CallEvent } from "../core/events.ts";
import type { Finding, StatusReport } from "../http/doors.ts";
import type { SearchPage } from "../stores/store.ts";

/** What a command may touch of the world. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes a line of results. */
  out(line: string): void;
  /** Writes a line about the command itself. */
  err(line: string): void;
  /** Asks the person at the terminal; empty when nobody is there to answer. */
  ask(question: string): Promise<string>;
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

/** What was found, a turn a line. */
export function searchLines({ hits, next, notYetSearched }: SearchPage): string[] {
  const more = next === undefined ? [] : ["There is more. Say how much with --limit."];
  const missing =
    notYetSearched === undefined ? [] : [`${notYetSearched} older calls are still being read. Ask again.`];
  if (hits.length === 0) return ["No turn holds these words.", ...missing];
  const lines = hits.map(({ callId, speaker, atMs, snippet }) => {
    const at = new Date(atMs).toISOString().slice(0, 19).replace("T", " ");
    return `${at}  ${callId}  ${speaker}: ${snippet}`;
  });
  return [...lines, ...more, ...missing];
}

/** What an erasure did, and what is left to be done by others. */
export function receiptLines({ number, callIds, removed, outside }: ErasureReceipt): string[] {
  const { calls, ...others } = removed;
  const counts = Object.entries(others)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${what.replace(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`)}: ${count}`);
  return [
    `Nothing of ${number} is kept any more. Calls: ${[calls, ...counts].join(", ")}.`,
    ...callIds.map((callId) => `  ${callId}`),
    "Outside our hands:",
    ...outside.map(({ kind, where }) => `  ${kind}: ${where}`),
  ];
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
