import type { CallSummary } from "./call.ts";
import type { CallEvent } from "./events.ts";

/*
 * What a person at a terminal reads, whichever program asked. Each takes only what it prints, as it comes over a wire.
 */

/** What a check of the channel found. */
export interface FoundLine {
  readonly level: "ok" | "warning" | "error";
  readonly check: string;
  readonly message: string;
  readonly remedy?: string | undefined;
  readonly accountId?: string | undefined;
}

/** How the channel is doing. */
export interface StatusLines {
  readonly version: string;
  readonly running: boolean;
  readonly listening?: { readonly host: string; readonly port: number } | undefined;
  readonly liveCalls: number;
  readonly accounts: readonly {
    readonly accountId: string;
    readonly state: string;
    readonly number?: string | undefined;
    readonly liveCalls: number;
    readonly problem?: string | undefined;
  }[];
  readonly settings: readonly FoundLine[];
  readonly host: readonly FoundLine[];
}

/** A page of what was found in past calls. */
export interface FoundTurns {
  readonly hits: readonly {
    readonly callId: string;
    readonly speaker: string;
    readonly atMs: number;
    readonly snippet: string;
  }[];
  readonly next?: string | undefined;
  readonly notYetSearched?: number | undefined;
}

/** What an erasure did. */
export interface Erased {
  readonly number: string;
  readonly callIds: readonly string[];
  readonly removed: { readonly calls: number };
  readonly outside: readonly { readonly kind: string; readonly where: string }[];
}

/** A number that is somebody's, as the owner has said. */
export interface LinkLine {
  readonly accountId: string;
  readonly number: string;
  readonly principal: string;
  readonly addresses: readonly { readonly channel: string; readonly to: string }[];
  readonly atMs: number;
}

/** Whose number is whose. */
export interface FoundLinks {
  readonly links: readonly LinkLine[];
}

/** What was taken back of a number. */
export interface Unlinked {
  readonly removed: readonly LinkLine[];
}

/** One call on one line. */
export function callLine(call: CallSummary): string {
  const state = call.endReason ? `${call.state} (${call.endReason})` : call.state;
  const way = call.direction === "inbound" ? `from ${call.from}` : `to ${call.to}`;
  return `${secondOf(call.createdAtMs)}  ${call.callId}  ${way}  ${state}  ${call.turns} turns${lasted(call)}`;
}

/** The channel's state as a few lines, with what is wrong. */
export function statusLines(report: StatusLines): string[] {
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
export function findingLine({ level, check, message, remedy, accountId }: FoundLine): string {
  const where = accountId === undefined ? check : `${accountId}: ${check}`;
  return `${level.padEnd(7)}  ${where}: ${message}${remedy ? ` ${remedy}` : ""}`;
}

/** What was found, a turn a line. */
export function searchLines({ hits, next, notYetSearched }: FoundTurns): string[] {
  const more = next === undefined ? [] : ["There is more. Say how much with --limit."];
  const missing =
    notYetSearched === undefined ? [] : [`${notYetSearched} older calls are still being read. Ask again.`];
  if (hits.length === 0) return ["No turn holds these words.", ...missing];
  const lines = hits.map(
    ({ callId, speaker, atMs, snippet }) => `${secondOf(atMs)}  ${callId}  ${speaker}: ${snippet}`,
  );
  return [...lines, ...more, ...missing];
}

/** Whose number is whose, one a line. */
export function linkLines({ links }: FoundLinks): string[] {
  if (links.length === 0) return ["No number has been given a name by the owner."];
  return links.map(({ accountId, number, principal, addresses, atMs }) => {
    const reached = addresses.map(({ channel, to }) => `${channel}:${to}`).join(", ");
    return `${secondOf(atMs)}  ${accountId}  ${number}  ${principal}${reached === "" ? "" : ` (${reached})`}`;
  });
}

/** What was taken back of a number. */
export function unlinkLines(number: string, { removed }: Unlinked): string[] {
  if (removed.length === 0) return [`The owner has given ${number} no name. What the host links is in its settings.`];
  return removed.map(
    ({ accountId, principal }) => `${accountId}: calls with ${number} are not ${principal}'s any more.`,
  );
}

/** What an erasure did, and what is left to be done by others. */
export function receiptLines({ number, callIds, removed, outside }: Erased): string[] {
  const { calls, ...others } = removed;
  const counts = Object.entries<number>(others)
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

const secondOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 19).replace("T", " ");

function lasted({ answeredAtMs, endedAtMs }: CallSummary): string {
  if (answeredAtMs === undefined || endedAtMs === undefined) return "";
  return `  ${Math.round((endedAtMs - answeredAtMs) / 1000)} s`;
}
