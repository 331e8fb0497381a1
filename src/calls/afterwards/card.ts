import { type Call, callerNumber } from "../../core/call.ts";
import type { CallOutcome, Commitment } from "../../core/events.ts";
import type { MessageButton } from "../../hosts/host.ts";
import type { AskedOnCall } from "../callers.ts";
import { dayOf, lengthOf, timeOf } from "../context/days.ts";
import { momentOf } from "../context/note.ts";
import { quoteLine } from "../context/quote.ts";

/** The most characters of a card: channels take 2,000 (Discord) or 4,096 (Telegram) in one message. */
export const MAX_CARD = 1_900;

/** What a button under a card asks for: ring the other person again, or count what was promised as done. */
export type CardAction = "call-back" | "done";

/**
 * What the owner is told of a call in their own chat: who, when, how long, what it came to, what was promised and left.
 * `timeZone` is an IANA zone. What somebody said stands in quotation marks on its line and formats nothing.
 */
export function cardText(call: Call, asked: AskedOnCall, timeZone: string): string {
  const { outcome } = call;
  const head = [
    `${call.direction === "inbound" ? "Phone call from" : "Phone call to"} ${whoIn(call)}`,
    factsOf(call, timeZone),
  ];
  const lines = [
    ...(outcome ? cameTo(outcome) : []),
    ...asked.messages.map(
      ({ for: whom, text }) => `• Message${whom === undefined ? "" : ` for ${said(whom, 60)}`}: ${said(text, 400)}`,
    ),
    ...(outcome?.commitments ?? []).map(promised),
    ...asked.remembered.map((fact) => `• To remember: ${said(fact, 200)}`),
  ];
  return [...head, ...fitting(lines, MAX_CARD - head.join("\n").length - 1)].join("\n");
}

/** What may be done about a call, as buttons; none where its id is not of the usual form. */
export function cardButtons(call: Call): readonly MessageButton[] {
  const id = ID.exec(call.id)?.[1];
  if (id === undefined) return [];
  const promises = (call.outcome?.commitments.length ?? 0) > 0;
  return [
    ...(isDialable(callerNumber(call)) ? [{ label: "Call back", value: `${PREFIX["call-back"]}${id}` }] : []),
    ...(promises ? [{ label: "Done", value: `${PREFIX.done}${id}` }] : []),
  ];
}

/** What a pressed button asks for, and of which call; `undefined` when it is no button of a card. */
export function readCardButton(value: string): { readonly action: CardAction; readonly callId: string } | undefined {
  for (const action of ["call-back", "done"] as const) {
    const callId = `call_${value.slice(PREFIX[action].length)}`;
    if (value.startsWith(PREFIX[action]) && ID.test(callId)) return { action, callId };
  }
  return undefined;
}

/** Who the other person is, as far as that is known: name, number, and what their number proves. */
export function whoIn(call: Call): string {
  const number = plain(callerNumber(call), 40);
  const who = call.principal === undefined ? number : `${plain(call.principal, 60)} (${number})`;
  return call.direction === "outbound" ? who : `${who}, ${VERIFIED[call.trust]}`;
}

/** Somebody's words in quotation marks: one line that a chat shows as it is, without links, emphasis or hidden text. */
export function said(words: string, maxCharacters: number): string {
  return `"${plain(words, maxCharacters)}"`;
}

// --- Internal helpers ---

/** A value is 40 bytes at most: a call's id without its prefix has 32. */
const PREFIX = { "call-back": "cb:", done: "ok:" } as const;
const ID = /^call_([\w-]{1,36})$/;
const VERIFIED = { owner: "verified", known: "known by number only", stranger: "not known" } as const;

function isDialable(number: string): boolean {
  return number.startsWith("+");
}

/** As a chat shows it: no character of it formats, links or hides. */
function plain(words: string, maxCharacters: number): string {
  return quoteLine(words, maxCharacters)
    .replaceAll("[", "(")
    .replaceAll("]", ")")
    .replaceAll("*", "∗")
    .replaceAll("|", "/")
    .replaceAll("~", "-")
    .replaceAll("\\", "/");
}

function factsOf({ answeredAtMs, createdAtMs, endedAtMs, endReason }: Call, timeZone: string): string {
  const atMs = answeredAtMs ?? createdAtMs;
  const length = answeredAtMs === undefined ? "not answered" : lengthOf((endedAtMs ?? answeredAtMs) - answeredAtMs);
  return `${dayOf(atMs, timeZone)} ${timeOf(atMs, timeZone)}, ${length}, ${(endReason ?? "not ended").replaceAll("_", " ")}`;
}

function cameTo({ outcome, summary, madeBy, needsAction }: CallOutcome): string[] {
  const by = madeBy === "model" ? "Summary by a text model" : "Summary";
  return [
    `Outcome: ${said(outcome, 160)}`,
    ...(summary === outcome ? [] : [`${by}: ${said(summary, 600)}`]),
    ...(needsAction ? ["Something is left to do."] : []),
  ];
}

function promised({ by, what, due, quote, atMs }: Commitment): string {
  const when = due === undefined ? "" : ` (due: ${said(due, 60)})`;
  const task = what === quote ? "" : `${said(what, 160)}, in the words `;
  return `• Promised by the ${by} at ${momentOf(atMs)}${when}: ${task}${said(quote, 160)}`;
}

/** As many lines as there is room for; the last says how many are left out. */
function fitting(lines: readonly string[], room: number): string[] {
  const rest = (count: number) => `… (${count} more in the daily note)`;
  let left = room;
  for (const [at, line] of lines.entries()) {
    left -= line.length + 1;
    const needed = at === lines.length - 1 ? 0 : rest(lines.length).length + 1;
    if (left < needed) return [...lines.slice(0, at), rest(lines.length - at)];
  }
  return [...lines];
}
