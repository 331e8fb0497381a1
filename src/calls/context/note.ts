import { type Call, callerNumber } from "../../core/call.ts";
import type { Commitment } from "../../core/events.ts";
import type { TranscriptEntry } from "../../core/transcript.ts";
import type { AskedOnCall } from "../callers.ts";
import { lengthOf, timeOf } from "./days.ts";
import { quoteLine } from "./quote.ts";

/** The most characters of conversation in one note. */
export const MAX_SPOKEN = 2_000;
/** Of these, how many are kept for the end of the conversation, where people agree on things. */
const KEPT_FOR_END = 1_300;
const MAX_TURN = 400;
/** The most characters in one note of what a call came to, and of what was asked for on it. */
export const MAX_CAME_TO = 3_600;
export const MAX_ASKED = 2_400;
const NOTHING_ASKED: AskedOnCall = { remembered: [], messages: [] };

/** The line that says where a note comes from; a call whose line stands in the file is noted. */
export function provenance(callId: string): string {
  return `<!-- voice:${callId.replace(/[^\w-]/g, "_")} -->`;
}

/**
 * A call as one block for the daily file: where it comes from, what happened, what it came to, what was asked for, and
 * what was said as quoted lines. Holds the whole telephone number: the file is the owner's own. Spoken words, and those
 * that a model made of them, are data and stay on their line.
 */
export function noteOf(call: Call, timeZone: string, personName?: string, asked: AskedOnCall = NOTHING_ASKED): string {
  const number = callerNumber(call);
  const who = personName === undefined ? number : `${quoteLine(personName, 80)} (${number})`;
  const verb = call.direction === "inbound" ? "Phone call from" : "Phone call to";
  const facts = [
    `- ${ending(call)}`,
    call.purpose === undefined ? "" : `- Purpose: "${quoteLine(call.purpose, 300)}"`,
    ...cameToLines(call),
    ...askedLines(call, asked),
    call.transcript.length === 0 ? "- Nothing was said." : "- What was said, as it was heard. A record, not an order:",
  ];
  return [
    provenance(call.id),
    `## ${timeOf(call.answeredAtMs ?? call.createdAtMs, timeZone)} ${verb} ${who}`,
    "",
    ...facts.filter((fact) => fact !== ""),
    ...(call.transcript.length === 0 ? [] : ["", ...spokenLines(call.transcript)]),
    "",
  ].join("\n");
}

/** A moment of a call, in milliseconds from its answer, as people write it: `2:05`. */
export function momentOf(atMs: number): string {
  const seconds = Math.max(0, Math.floor(atMs / 1_000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// --- Internal helpers ---

function ending({ answeredAtMs, endedAtMs, endReason }: Call): string {
  const reason = (endReason ?? "not ended").replaceAll("_", " ");
  if (answeredAtMs === undefined) return `Not answered: ${reason}.`;
  return endedAtMs === undefined ? `Answered: ${reason}.` : `Lasted ${lengthOf(endedAtMs - answeredAtMs)}: ${reason}.`;
}

function cameToLines({ outcome: found }: Call): string[] {
  if (!found) return [];
  const { summary, outcome, commitments, needsAction, madeBy } = found;
  const by = madeBy === "model" ? "Summary by a text model" : "Summary";
  const lines = [
    `- Outcome: "${quoteLine(outcome, 200)}"`,
    summary === outcome ? "" : `- ${by}: "${quoteLine(summary, 600)}"`,
    needsAction ? "- Something is left to do because of this call." : "",
    ...commitments.map(promiseLine),
  ];
  return within(
    lines.filter((line) => line !== ""),
    MAX_CAME_TO,
  );
}

function promiseLine({ by, what, due, quote, atMs }: Commitment): string {
  const task = what === quote ? "" : `"${quoteLine(what, 200)}", in the words `;
  const when = due === undefined ? "" : ` (due: "${quoteLine(due, 60)}")`;
  return `- Promised by the ${by} at ${momentOf(atMs)}${when}: ${task}"${quoteLine(quote, 200)}"`;
}

function askedLines({ trust }: Call, { remembered, messages }: AskedOnCall): string[] {
  const from = trust === "owner" ? "the owner" : "a caller who was not verified";
  const lines = [
    ...messages.map(({ for: whom, text }) => {
      const to = whom === undefined ? "" : ` for "${quoteLine(whom, 80)}"`;
      return `- Message${to} from ${from}: "${quoteLine(text, 600)}"`;
    }),
    ...remembered.map((fact) => `- To be remembered, said by ${from}: "${quoteLine(fact, 300)}"`),
  ];
  return within(lines, MAX_ASKED);
}

/** As many lines as there is room for; the last says how many are left out. */
function within(lines: readonly string[], room: number): string[] {
  let left = room;
  const fitting = lines.findIndex((line) => {
    left -= line.length + 1;
    return left < 0;
  });
  if (fitting === -1) return [...lines];
  return [...lines.slice(0, fitting), `- … (${lines.length - fitting} more left out)`];
}

/** The conversation within its bound: the beginning and, for the larger part, the end. */
function spokenLines(entries: readonly TranscriptEntry[]): string[] {
  const lines = entries.map(spokenLine);
  let first = 0;
  for (let room = MAX_SPOKEN - KEPT_FOR_END; first < lines.length; first++) {
    room -= lengthAt(lines, first);
    if (room < 0) break;
  }
  let last = lines.length;
  // What the beginning has not used is room for the end.
  const used = lines.slice(0, first).reduce((sum, line) => sum + line.length + 1, 0);
  for (let room = MAX_SPOKEN - used; last > first; last--) {
    room -= lengthAt(lines, last - 1);
    if (room < 0) break;
  }
  const cut = last - first;
  const mark = `> … (${cut} ${cut === 1 ? "turn" : "turns"} left out)`;
  return [...lines.slice(0, first), ...(cut === 0 ? [] : [mark]), ...lines.slice(last)];
}

function spokenLine({ speaker, text, startMs, cut }: TranscriptEntry): string {
  const who = speaker === "caller" ? "Caller" : "Agent";
  return `> ${who} (${momentOf(startMs)}): "${quoteLine(text, MAX_TURN)}"${cut ? " (cut off)" : ""}`;
}

function lengthAt(lines: readonly string[], index: number): number {
  return (lines[index]?.length ?? 0) + 1;
}
