import type { Call } from "../../core/call.ts";
import type { CallOutcome, Commitment } from "../../core/events.ts";
import type { TranscriptEntry } from "../../core/transcript.ts";
import { lengthOf } from "../context/days.ts";
import { quoteLine } from "../context/quote.ts";
import { BOUNDS } from "./bounds.ts";

/** How an English speaker binds themselves. */
const PROMISE =
  /\b(?:(?:I|we)(?: will|['’]ll| am going to| are going to)|(?:I['’]m|we['’]re) going to|I promise|you can count on)\b/i;
/** What is done while the other person waits on the line binds nobody afterwards. */
const AT_ONCE =
  /(?:['’]ll| will|going to) (?:just |quickly )?(?:check|look|see|find|ask you|say|tell you|repeat|spell|be (?:right )?back|hold|wait|transfer|put you|connect|help|try|have to|need|be happy|be glad|do my best|let you go)\b/i;
/** What reaches the other person later, after all. */
const LATER = /\b(?:call|ring|phone|text|e-?mail|write|send|message|let you know|get back)\b/i;
const REFUSAL = /\b(?:will|going to) (?:not|never)\b/i;
/** When something is due, as it is said. */
const DUE =
  /\b(?:(?:by|on|before|until|at|this|next) )?(?:today|tonight|tomorrow(?: (?:morning|afternoon|evening|night))?|(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:this|next) (?:morning|afternoon|evening|week|month)|noon|midnight|(?:[1-9]|1[0-2])(?::[0-5]\d)? ?(?:a\.?m\.?|p\.?m\.?|o['’]clock)|(?:[01]?\d|2[0-3]):[0-5]\d|(?:january|february|march|april|may|june|july|august|september|october|november|december) \d{1,2}(?:st|nd|rd|th)?|in (?:a|an|\d+|two|three|five|ten) (?:minutes?|hours?|days?|weeks?))\b/i;

/**
 * What a call came to, picked from what was said without a model: the caller's first words that are more than a greeting,
 * the agent's last, and sentences that promise something. Finds promises in English alone. The same call gives the same words.
 */
export function extractOutcome(call: Call): CallOutcome {
  const callerWords = call.transcript.filter(({ speaker, text }) => speaker === "caller" && text.trim() !== "");
  if (callerWords.length === 0) return nobodyTalked(call);
  const request = callerWords.find(({ text }) => text.trim().split(/\s+/).length >= 4) ?? callerWords[0];
  const last = call.transcript.findLast(({ speaker, text }) => speaker === "agent" && text.trim() !== "");
  const summary = [
    "Picked from what was said, not written by a model.",
    request && `The caller said: '${quoteLine(request.text, 200)}'.`,
    last && `The agent said last: '${quoteLine(last.text, 200)}'.`,
  ];
  const commitments = call.transcript.flatMap(promisesIn).slice(-BOUNDS.commitments);
  return {
    summary: quoteLine(summary.filter(Boolean).join(" "), BOUNDS.summary),
    outcome: quoteLine(ending(call), BOUNDS.outcome),
    commitments,
    needsAction: commitments.some(({ by }) => by === "agent"),
    madeBy: "extract",
  };
}

/** Whether the other person said anything. */
export function callerTalked(call: Call): boolean {
  return call.transcript.some(({ speaker, text }) => speaker === "caller" && text.trim() !== "");
}

// --- Internal helpers ---

function nobodyTalked(call: Call): CallOutcome {
  const agentSpoke = call.transcript.some(({ text }) => text.trim() !== "");
  const line =
    call.answeredAtMs === undefined
      ? `Not answered: ${reasonOf(call)}.`
      : agentSpoke
        ? `The agent spoke and the other person said nothing: ${reasonOf(call)}.`
        : `Nobody talked: ${reasonOf(call)}.`;
  return { summary: line, outcome: line, commitments: [], needsAction: false, madeBy: "extract" };
}

function ending(call: Call): string {
  const { answeredAtMs, endedAtMs, transcript } = call;
  const length = lengthOf((endedAtMs ?? 0) - (answeredAtMs ?? endedAtMs ?? 0));
  return `Talked for ${length}, ${transcript.length} turns: ${reasonOf(call)}.`;
}

function reasonOf({ endReason }: Call): string {
  return (endReason ?? "not ended").replaceAll("_", " ");
}

function promisesIn({ speaker, text, startMs }: TranscriptEntry): Commitment[] {
  const sentences = text.match(/[^.!?\n]+(?:[.!?](?=\S)[^.!?\n]+)*[.!?]*/g) ?? [];
  return sentences.filter(binds).map((sentence) => {
    const due = DUE.exec(sentence)?.[0];
    return {
      by: speaker,
      what: quoteLine(sentence, BOUNDS.what),
      ...(due !== undefined && { due: quoteLine(due, BOUNDS.due) }),
      quote: quoteLine(sentence, BOUNDS.quote),
      atMs: Math.max(0, Math.round(startMs)),
    };
  });
}

/** A question asks and binds nobody. */
function binds(sentence: string): boolean {
  if (!PROMISE.test(sentence) || REFUSAL.test(sentence) || sentence.trimEnd().endsWith("?")) return false;
  return LATER.test(sentence) || !AT_ONCE.test(sentence);
}
