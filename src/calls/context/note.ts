import { type Call, callerNumber } from "../../core/call.ts";
import type { TranscriptEntry } from "../../core/transcript.ts";
import { lengthOf, timeOf } from "./days.ts";
import { quoteLine } from "./quote.ts";

/** The most characters of conversation in one note. */
export const MAX_SPOKEN = 2_000;
/** Of these, how many are kept for the end of the conversation, where people agree on things. */
const KEPT_FOR_END = 1_300;
const MAX_TURN = 400;

/** The line that says where a note comes from; a call whose line stands in the file is noted. */
export function provenance(callId: string): string {
  return `<!-- voice:${callId.replace(/[^\w-]/g, "_")} -->`;
}

/**
 * A call as one block for the daily file: where it comes from, what happened, and what was said as quoted lines.
 * Holds the whole telephone number: the file is the owner's own. Spoken words are data and stay on their line.
 */
export function noteOf(call: Call, timeZone: string, personName?: string): string {
  const number = callerNumber(call);
  const who = personName === undefined ? number : `${quoteLine(personName, 80)} (${number})`;
  const verb = call.direction === "inbound" ? "Phone call from" : "Phone call to";
  const facts = [
    `- ${ending(call)}`,
    call.purpose === undefined ? "" : `- Purpose: "${quoteLine(call.purpose, 300)}"`,
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

// --- Internal helpers ---

function ending({ answeredAtMs, endedAtMs, endReason }: Call): string {
  const reason = (endReason ?? "not ended").replaceAll("_", " ");
  if (answeredAtMs === undefined) return `Not answered: ${reason}.`;
  return endedAtMs === undefined ? `Answered: ${reason}.` : `Lasted ${lengthOf(endedAtMs - answeredAtMs)}: ${reason}.`;
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
  const seconds = Math.max(0, Math.floor(startMs / 1_000));
  const at = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  const who = speaker === "caller" ? "Caller" : "Agent";
  return `> ${who} (${at}): "${quoteLine(text, MAX_TURN)}"${cut ? " (cut off)" : ""}`;
}

function lengthAt(lines: readonly string[], index: number): number {
  return (lines[index]?.length ?? 0) + 1;
}
