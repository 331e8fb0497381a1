import type { CallSummary } from "../../core/call.ts";
import { dayOf, lengthOf, timeOf } from "./days.ts";
import { quoteLine } from "./quote.ts";

/** One earlier call with this person as one line of data; the words in it are quoted. */
export function historyLine(call: CallSummary, timeZone: string): string {
  const when = `${dayOf(call.createdAtMs, timeZone)} ${timeOf(call.createdAtMs, timeZone)}`;
  const who = call.direction === "inbound" ? "they rang" : "you rang them";
  return `- ${[when, who, outcome(call), purpose(call)].filter(Boolean).join(", ")}`;
}

// --- Internal helpers ---

function outcome({ answeredAtMs, endedAtMs, endReason, turns }: CallSummary): string {
  const reason = endReason?.replaceAll("_", " ");
  if (answeredAtMs === undefined) return `not answered${reason ? ` (${reason})` : ""}`;
  const length = endedAtMs === undefined ? "" : `${lengthOf(endedAtMs - answeredAtMs)}, `;
  return `${length}${turns} ${turns === 1 ? "turn" : "turns"}${reason ? ` (${reason})` : ""}`;
}

function purpose({ purpose }: CallSummary): string {
  return purpose === undefined ? "" : `purpose: "${quoteLine(purpose, 200)}"`;
}
