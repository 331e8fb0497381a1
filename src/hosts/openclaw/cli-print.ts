import type { VoiceChannelPlugin } from "../../plugin.ts";

type Answer = Readonly<Record<string, unknown>>;
type Status = Awaited<ReturnType<VoiceChannelPlugin["status"]>>;
type Finding = Awaited<ReturnType<VoiceChannelPlugin["doctor"]>>[number];
type Transcript = Awaited<ReturnType<VoiceChannelPlugin["transcriptOf"]>>;
type Found = Awaited<ReturnType<VoiceChannelPlugin["search"]>>;
type Receipt = Awaited<ReturnType<VoiceChannelPlugin["erase"]>>;
type Details = Awaited<ReturnType<VoiceChannelPlugin["pauseRecording"]>>;
type Summary = Awaited<ReturnType<VoiceChannelPlugin["placeCall"]>>;

/** Prints how the channel and its accounts are doing, then what the host's settings mean for calls. */
export function printStatus(answer: Answer): void {
  const status = answer as unknown as Status;
  const { listening } = status;
  const where = listening ? `listening on ${listening.host}:${listening.port}` : "not listening";
  console.log(`Voice ${status.version}: ${where} for ${status.publicUrl}, ${status.liveCalls} live calls`);
  for (const account of status.accounts) {
    const problem = account.problem === undefined ? "" : `: ${account.problem}`;
    console.log(`- ${account.accountId} ${account.number ?? ""} ${account.state}${problem}`);
  }
  printFindings({ findings: [...status.settings, ...status.host].filter((finding) => finding.level !== "ok") });
}

/** Prints findings, each fault with its remedy. */
export function printFindings(answer: Answer): void {
  for (const { level, check, message, remedy, accountId } of answer["findings"] as readonly Finding[]) {
    const where = accountId === undefined ? check : `${check} (${accountId})`;
    console.log(`${level.padEnd(7)} ${where}: ${message}${remedy === undefined ? "" : `\n        ${remedy}`}`);
  }
}

/** Prints calls, one a line. */
export function printCalls(answer: Answer): void {
  const calls = answer["calls"] as readonly Answer[];
  if (calls.length === 0) console.log("No calls yet.");
  for (const call of calls) printCall(call);
}

/** Prints one call in a line. */
export function printCall(answer: Answer): void {
  const { callId, createdAtMs, direction, from, to, state, endReason, turns } = answer as unknown as Summary;
  const end = endReason === undefined ? "" : ` (${endReason})`;
  console.log(
    `${callId} ${new Date(createdAtMs).toISOString()} ${direction} ${from} → ${to} ${state}${end}, ${turns} turns`,
  );
}

/** Prints which keys were sent. */
export function printSent(answer: Answer): void {
  console.log(`Sent ${String(answer["digits"])} on ${String(answer["callId"])}.`);
}

/** Prints one journal entry: what was said in full, anything else by its name. */
export function printEntry({ event }: { readonly event: Answer }): void {
  const time = new Date(Number(event["atMs"])).toISOString().slice(11, 23);
  const { type, atMs: _, ...facts } = event;
  const entry = facts["entry"] as { readonly speaker: string; readonly text: string } | undefined;
  console.log(entry ? `${time} ${entry.speaker}: ${entry.text}` : `${time} ${String(type)} ${JSON.stringify(facts)}`);
}

/** Prints the words of a call as they were asked for. */
export function printTranscript(answer: Answer): void {
  console.log((answer as unknown as Transcript).body.trimEnd());
}

/** Prints what was found, a turn a line. */
export function printFound(answer: Answer): void {
  const { hits, next, notYetSearched } = answer as unknown as Found;
  if (hits.length === 0) console.log("No turn holds these words.");
  for (const { atMs, callId, speaker, snippet } of hits) {
    console.log(`${new Date(atMs).toISOString()} ${callId} ${speaker}: ${snippet}`);
  }
  if (next !== undefined) console.log("There is more. Say how much with --limit.");
  if (notYetSearched !== undefined) console.log(`${notYetSearched} older calls are still being read. Ask again.`);
}

/** Prints what an erasure did, and what is left to be done by others. */
export function printReceipt(answer: Answer): void {
  const { number, callIds, removed, outside } = answer as unknown as Receipt;
  console.log(`Nothing of ${number} is kept any more; calls: ${removed.calls}, recordings: ${removed.recordings}.`);
  for (const callId of callIds) console.log(`- ${callId}`);
  console.log("Outside our hands:");
  for (const { kind, where } of outside) console.log(`- ${kind}: ${where}`);
}

/** Prints how the recordings of a call stand. */
export function printRecordings(answer: Answer): void {
  for (const { id, state } of (answer as unknown as Details).recordings) console.log(`${id} ${state}`);
}
