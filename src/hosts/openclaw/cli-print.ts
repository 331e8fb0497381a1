import type { CallSummary } from "../../core/call.ts";
import type { CallEvent } from "../../core/events.ts";
import {
  callLine,
  type Erased,
  eventLine,
  type FoundLine,
  type FoundLinks,
  type FoundTurns,
  findingLine,
  linkLines,
  receiptLines,
  type StatusLines,
  searchLines,
  statusLines,
  type Unlinked,
  unlinkLines,
} from "../../core/report-lines.ts";
import type { VoiceChannelPlugin } from "../../plugin.ts";

type Answer = Readonly<Record<string, unknown>>;
type Transcript = Awaited<ReturnType<VoiceChannelPlugin["transcriptOf"]>>;
type Details = Awaited<ReturnType<VoiceChannelPlugin["pauseRecording"]>>;

/** Prints how the channel and its accounts are doing, then what the host's settings mean for calls. */
export const printStatus = (answer: Answer): void => print(statusLines(answer as unknown as StatusLines));

/** Prints findings, each fault with its remedy. */
export const printFindings = ({ findings }: Answer): void => print((findings as readonly FoundLine[]).map(findingLine));

/** Prints calls, one a line. */
export function printCalls(answer: Answer): void {
  const calls = answer["calls"] as readonly CallSummary[];
  print(calls.length === 0 ? ["No calls yet."] : calls.map(callLine));
}

/** Prints one call in a line. */
export const printCall = (answer: Answer): void => print([callLine(answer as unknown as CallSummary)]);

/** Prints which keys were sent. */
export const printSent = ({ digits, callId }: Answer): void => print([`Sent ${digits} on ${callId}.`]);

/** Prints what happened on a call; the time counts from `startedAtMs`. */
export const printEntry = ({ event }: { readonly event: CallEvent }, startedAtMs: number): void =>
  print([eventLine(event, startedAtMs)]);

/** Prints the words of a call as they were asked for. */
export const printTranscript = (answer: Answer): void => print([(answer as unknown as Transcript).body.trimEnd()]);

/** Prints what was found, a turn a line. */
export const printFound = (answer: Answer): void => print(searchLines(answer as unknown as FoundTurns));

/** Prints what an erasure did, and what is left to be done by others. */
export const printReceipt = (answer: Answer): void => print(receiptLines(answer as unknown as Erased));

/** Prints whose number is whose. */
export const printLinks = (answer: Answer): void => print(linkLines(answer as unknown as FoundLinks));

/** Prints what was taken back of a number. */
export const printUnlinked = (number: string, answer: Answer): void =>
  print(unlinkLines(number, answer as unknown as Unlinked));

/** Prints how the recordings of a call stand. */
export const printRecordings = (answer: Answer): void =>
  print((answer as unknown as Details).recordings.map(({ id, state }) => `${id} ${state}`));

// --- Internal helpers ---

function print(lines: readonly string[]): void {
  for (const line of lines) console.log(line);
}
