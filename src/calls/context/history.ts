import type { CallSummary } from "../../core/call.ts";
import type { CallOutcome } from "../../core/events.ts";
import { lengthOf } from "./days.ts";
import type { Moments } from "./moments.ts";
import { quoteLine } from "./quote.ts";

/** An earlier call, and what it came to. */
export interface PastCall extends CallSummary {
  readonly outcome?: Pick<CallOutcome, "summary" | "outcome">;
}

/** How much of an earlier call may be told: when it was and how it ended, or what it was about as well. */
export type Detail = "facts" | "purpose" | "summary";

/** One earlier call with this person as one line of data; the words in it are quoted. */
export function historyLine(call: PastCall, moments: Moments, detail: Detail): string {
  const who = call.direction === "inbound" ? "they rang" : "you rang them";
  const words = [detail === "facts" ? "" : purpose(call), detail === "summary" ? outcome(call) : ""];
  return `- ${[moments.minute(call.createdAtMs), who, ending(call), ...words].filter(Boolean).join(", ")}`;
}

// --- Internal helpers ---

function ending({ answeredAtMs, endedAtMs, endReason, turns }: CallSummary): string {
  const reason = endReason?.replaceAll("_", " ");
  if (answeredAtMs === undefined) return `not answered${reason ? ` (${reason})` : ""}`;
  const length = endedAtMs === undefined ? "" : `${lengthOf(endedAtMs - answeredAtMs)}, `;
  return `${length}${turns} ${turns === 1 ? "turn" : "turns"}${reason ? ` (${reason})` : ""}`;
}

function purpose({ purpose }: CallSummary): string {
  return purpose === undefined ? "" : `purpose: "${quoteLine(purpose, 200)}"`;
}

function outcome({ outcome }: PastCall): string {
  if (outcome === undefined) return "";
  const { summary, outcome: result } = outcome;
  return `summary: "${quoteLine(summary, 500)}"${result === "" ? "" : `, outcome: "${quoteLine(result, 200)}"`}`;
}
