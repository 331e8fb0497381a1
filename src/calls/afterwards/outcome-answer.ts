import type { CallOutcome, Commitment } from "../../core/events.ts";
import type { TranscriptEntry } from "../../core/transcript.ts";
import { quoteLine } from "../context/quote.ts";
import { BOUNDS } from "./bounds.ts";

/** Longer answers are no answers to what was asked. */
const MAX_ANSWER = 20_000;

/**
 * Reads a text model's answer about a call. What it claims is checked against the transcript: a commitment stays only if
 * the words it quotes stand in the turn that it names and were said by whom it binds; they are taken from there.
 * @throws Error the answer does not have the form that was asked for; the message says what is wrong, without its words
 */
export function readOutcome(answer: string, transcript: readonly TranscriptEntry[]): CallOutcome {
  const { summary, outcome, commitments, needsAction } = readObject(answer);
  if (typeof needsAction !== "boolean") throw new Error("needsAction is not true or false.");
  if (!Array.isArray(commitments)) throw new Error("commitments is no list.");
  return {
    summary: line("summary", summary),
    outcome: line("outcome", outcome),
    commitments: commitments
      .flatMap((claim: unknown) => readCommitment(claim, transcript) ?? [])
      .slice(0, BOUNDS.commitments),
    needsAction,
    madeBy: "model",
  };
}

/** The stretch of `text` that holds the words of `quote` in their order, whatever stands between and around them; as it was said. */
export function findQuote(text: string, quote: string): string | undefined {
  const wanted = [...quote.matchAll(WORD)].map(([word]) => word.toLowerCase());
  if (wanted.length < 2) return undefined; // one word is found anywhere and says nothing
  const said = [...text.matchAll(WORD)];
  const start = said.findIndex((_, at) => wanted.every((word, ahead) => said[at + ahead]?.[0].toLowerCase() === word));
  const first = said[start];
  const last = said[start + wanted.length - 1];
  return first && last && text.slice(first.index, last.index + last[0].length);
}

// --- Internal helpers ---

const WORD = /[\p{L}\p{N}]+/gu;

function readObject(answer: string): Readonly<Record<string, unknown>> {
  if (answer.length > MAX_ANSWER) throw new Error("The answer is too long.");
  // Models wrap JSON in fences and sentences.
  const [from, to] = [answer.indexOf("{"), answer.lastIndexOf("}")];
  if (from === -1 || to < from) throw new Error("The answer holds no JSON object.");
  let value: unknown;
  try {
    value = JSON.parse(answer.slice(from, to + 1));
  } catch {
    throw new Error("The answer is not JSON."); // the parser's own message quotes what was said
  }
  return value as Record<string, unknown>; // what stands between braces and parses is an object
}

function line(field: "summary" | "outcome", value: unknown): string {
  if (typeof value !== "string") throw new Error(`${field} is no text.`);
  const text = quoteLine(value, BOUNDS[field]);
  if (text === "") throw new Error(`${field} is empty.`);
  return text;
}

function readCommitment(claim: unknown, transcript: readonly TranscriptEntry[]): Commitment | undefined {
  if (typeof claim !== "object" || claim === null) return undefined;
  const { by, what, due, turn, quote } = claim as Readonly<Record<string, unknown>>;
  if (typeof what !== "string" || typeof turn !== "number" || typeof quote !== "string") return undefined;
  const entry = transcript[turn - 1];
  if (!entry || entry.speaker !== by) return undefined; // nobody is bound by what the other one says
  const words = findQuote(entry.text, quote);
  const task = quoteLine(what, BOUNDS.what);
  if (words === undefined || task === "") return undefined;
  return {
    by: entry.speaker,
    what: task,
    ...(typeof due === "string" && due.trim() !== "" && { due: quoteLine(due, BOUNDS.due) }),
    quote: quoteLine(words, BOUNDS.quote),
    atMs: Math.max(0, Math.round(entry.startMs)),
  };
}
