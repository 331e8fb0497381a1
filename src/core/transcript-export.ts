import type { Call } from "./call.ts";
import type { Speaker, TranscriptEntry } from "./transcript.ts";

/** How a transcript can be written. */
export const TRANSCRIPT_FORMATS = ["json", "text", "markdown", "vtt"] as const;
export type TranscriptFormat = (typeof TRANSCRIPT_FORMATS)[number];

/** A transcript as a document. */
export interface TranscriptDocument {
  readonly contentType: string;
  /** Of a file that holds it, without a dot. */
  readonly extension: string;
  readonly body: string;
}

/** What a transcript says of its call. */
export type TranscribedCall = Pick<
  Call,
  "id" | "accountId" | "direction" | "from" | "to" | "createdAtMs" | "answeredAtMs" | "endedAtMs" | "transcript"
>;

/**
 * The words of a call as a document, as far as they were heard. JSON holds every turn; the others leave out turns
 * without a word, and mark those that were cut off. Times count from the answer of the call.
 */
export function exportTranscript(call: TranscribedCall, format: TranscriptFormat): TranscriptDocument {
  switch (format) {
    case "json":
      return { contentType: "application/json; charset=utf-8", extension: "json", body: toJson(call) };
    case "text":
      return { contentType: "text/plain; charset=utf-8", extension: "txt", body: toText(call) };
    case "markdown":
      return { contentType: "text/markdown; charset=utf-8", extension: "md", body: toMarkdown(call) };
    case "vtt":
      return { contentType: "text/vtt; charset=utf-8", extension: "vtt", body: toVtt(call) };
  }
}

// --- Internal helpers ---

const NAMES: Readonly<Record<Speaker, string>> = { caller: "Caller", agent: "Agent" };
const CUT = "[cut off]";

/** A turn with words: on one line, with whole milliseconds. */
interface Line {
  readonly name: string;
  readonly words: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly cut: boolean;
}

function toJson({ transcript, id: callId, createdAtMs, answeredAtMs, endedAtMs, ...call }: TranscribedCall): string {
  const { accountId, direction, from, to } = call;
  const entries = transcript.map((entry) => {
    const { id, speaker, text, cut } = entry;
    return { id, speaker, text, ...span(entry), cut };
  });
  const facts = { callId, accountId, direction, from, to, createdAtMs, answeredAtMs, endedAtMs, entries };
  return `${JSON.stringify(facts, undefined, 2)}\n`;
}

function toText(call: TranscribedCall): string {
  const turns = lines(call).map(
    ({ name, words, startMs, cut }) => `[${clock(startMs)}] ${name}: ${words}${cut ? ` ${CUT}` : ""}`,
  );
  return `${[title(call), "", ...turns].join("\n")}\n`;
}

function toMarkdown(call: TranscribedCall): string {
  const turns = lines(call).map(
    ({ name, words, startMs, cut }) =>
      `- ${clock(startMs)} **${name}:** ${plain(words)}${cut ? ` *${plain(CUT)}*` : ""}`,
  );
  return `${[`# ${plain(title(call))}`, "", ...turns].join("\n")}\n`;
}

/**
 * One cue a turn, its speaker as its voice. Turns that overlap are cues that overlap.
 * @see https://www.w3.org/TR/webvtt1/
 */
function toVtt(call: TranscribedCall): string {
  const cues = lines(call).map(({ name, words, startMs, endMs, cut }, index) => {
    const text = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    const timing = `${stamp(startMs)} --> ${stamp(endMs)}`;
    return `${index + 1}\n${timing}\n<v${cut ? ".cut" : ""} ${name}>${text}${cut ? ` ${CUT}` : ""}</v>\n`;
  });
  return ["WEBVTT\n", ...cues].join("\n");
}

function lines({ transcript }: TranscribedCall): Line[] {
  return transcript
    .map((entry) => ({ name: NAMES[entry.speaker], words: oneLine(entry.text), ...span(entry), cut: entry.cut }))
    .filter(({ words }) => words !== "")
    .sort((a, b) => a.startMs - b.startMs);
}

/** A turn lasts at least a millisecond, and none begins before the answer. */
function span({ startMs, heardMs }: TranscriptEntry): { startMs: number; endMs: number } {
  const start = Math.max(0, Math.round(startMs));
  return { startMs: start, endMs: Math.max(start + 1, Math.round(startMs + heardMs)) };
}

function title({ id, from, to, createdAtMs, answeredAtMs, endedAtMs }: TranscribedCall): string {
  const at = new Date(createdAtMs).toISOString().slice(0, 19).replace("T", " ");
  const seconds =
    answeredAtMs === undefined || endedAtMs === undefined ? undefined : Math.round((endedAtMs - answeredAtMs) / 1000);
  return `Call ${id} from ${from} to ${to}, ${at} UTC${seconds === undefined ? "" : `, ${seconds} s`}`;
}

/** Words without breaks, without control characters, and without marks that turn their direction. */
function oneLine(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\u202A-\u202E\u2066-\u2069]/g, "")
    .replace(/[\s\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .trim();
}

/** Words that mean nothing to Markdown. */
const plain = (words: string) => words.replace(/[\\`*_[\]<>&|~#]/g, "\\$&");

/** `00:01:02.345`. */
function stamp(atMs: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const [hours, minutes, seconds] = [atMs / 3_600_000, (atMs / 60_000) % 60, (atMs / 1_000) % 60];
  return `${two(hours)}:${two(minutes)}:${two(seconds)}.${String(atMs % 1_000).padStart(3, "0")}`;
}

/** `01:02.3`, with hours once there are any: for people. */
const clock = (atMs: number) => stamp(atMs).slice(0, -2).replace(/^00:/, "");
