import type { Clock } from "../core/clock.ts";
import type { Trust } from "../core/events.ts";
import type { AnsweredQuestion } from "../core/questions.ts";
import type { ChannelAddress, Host } from "../hosts/host.ts";
import type { Account } from "./account.ts";
import { said } from "./afterwards/card.ts";
import type { AnswerDesk } from "./answer-desk.ts";
import { quoteLine } from "./context/quote.ts";
import type { CallJournal } from "./journal.ts";
import type { ToolContext, VoiceTool } from "./tools.ts";

/** An answer of the owner's that came when nobody on the call waited for it any more. */
export interface LateAnswer {
  readonly callId: string;
  readonly accountId: string;
  readonly questionId: string;
  /** What was asked, as the call put it. */
  readonly question: string;
  readonly answer: string;
  readonly by: "button" | "text";
}

export interface OwnerQuestionsParts {
  readonly desk: AnswerDesk;
  readonly host: Pick<Host, "capabilities">;
  readonly clock: Clock;
  /**
   * Does something with a late answer: tells it on the call if that still runs, or passes it on. Resolves with what the
   * owner is told. As any handler of answers it may be asked again after a failure.
   */
  readonly onLate: (late: LateAnswer, signal: AbortSignal) => Promise<string | undefined>;
  /** So long the call waits, in milliseconds: less than a tool may take. */
  readonly waitMs?: number;
}

/** Below the minute that a tool may take, and what the caller may be kept waiting. */
const WAIT_MS = 50_000;
/** Long enough for an owner who sleeps. */
const OPEN_FOR_MS = 24 * 60 * 60 * 1000;
const MOST_PER_CALL = 3;
const MAX_QUESTION_CHARACTERS = 500;
const MAX_ANSWER_CHARACTERS = 500;
const MOST_CHOICES = 5;
const MAX_CHOICE_CHARACTERS = 40;

const NOT_YET = "The owner has not answered yet. Say so, and promise to call back as soon as the answer is there.";

/** Lets the model ask the account's owner in their own chat while the other person is on the phone. */
export class OwnerQuestions {
  readonly #parts: OwnerQuestionsParts;

  constructor(parts: OwnerQuestionsParts) {
    this.#parts = parts;
    parts.desk.on("ask", (question, signal) => this.#late(question, signal));
  }

  /** The tool for one call, whoever is on it; none where there is no owner to be asked. */
  tool(journal: CallJournal, { owner }: Pick<Account, "owner">): VoiceTool | undefined {
    const { send, answers } = this.#parts.host.capabilities;
    if (!owner || !send || !answers) return undefined;
    return {
      name: "ask_owner",
      description:
        "Asks the person whom you work for, in their own chat, for a decision or a fact that only they have. " +
        `Say aloud that you are asking and that it takes a moment before you call this. At most ${MOST_PER_CALL} times a call.`,
      parameters: {
        type: "object",
        properties: {
          question: { type: "string", description: "One complete question that is understood without the call." },
          options: {
            type: "array",
            items: { type: "string" },
            maxItems: MOST_CHOICES,
            description: "The possible answers, one to three words each, if there are only a few.",
          },
        },
        required: ["question"],
        additionalProperties: false,
      },
      trust: "stranger",
      maxCalls: MOST_PER_CALL,
      execute: (args, context) => this.#ask(journal, owner, readQuestion(args), context),
    };
  }

  async #ask(
    journal: CallJournal,
    owner: ChannelAddress,
    { question, options }: OwnerQuestion,
    { callId, accountId, caller, trust, signal }: ToolContext,
  ): Promise<string> {
    const { desk, waitMs = WAIT_MS } = this.#parts;
    const id = desk.newId();
    await journal.write({ type: "owner.asked", questionId: id, question });
    const unasked = new AbortController();
    // Waits from now on: the answer may be faster than the channel's word that the message is taken.
    const answer = desk.waitFor(id, waitMs, AbortSignal.any([signal, unasked.signal]));
    const text = message(question, caller, trust, options.length > 0);
    const order = { id, accountId, callId, kind: "ask", about: question, address: owner, text, options } as const;
    desk.ask({ ...order, openForMs: OPEN_FOR_MS }).catch((error: unknown) => unasked.abort(error));
    const answered = await answer;
    if (unasked.signal.aborted) {
      throw new Error("The owner could not be reached. Go on without their answer.", { cause: unasked.signal.reason });
    }
    if (!answered) {
      journal.note({ type: "owner.answered", questionId: id, by: "nobody" });
      return NOT_YET;
    }
    const words = quoteLine(answered.answer, MAX_ANSWER_CHARACTERS);
    journal.note({ type: "owner.answered", questionId: id, by: answered.by, answer: words });
    return words;
  }

  async #late(asked: AnsweredQuestion, signal: AbortSignal): Promise<string | undefined> {
    const { id: questionId, callId, accountId, about, by } = asked;
    if (callId === undefined) return undefined;
    const answer = quoteLine(asked.answer, MAX_ANSWER_CHARACTERS);
    return this.#parts.onLate({ callId, accountId, questionId, question: about ?? "", answer, by }, signal);
  }
}

/** What the model is told when a late answer reaches the call that asked. */
export function lateAnswerNote({ question, answer }: LateAnswer): string {
  return `The owner has now answered what you asked them ("${question}"). Their answer, to be told to the other person: "${answer}"`;
}

// --- Internal helpers ---

interface OwnerQuestion {
  readonly question: string;
  readonly options: readonly string[];
}

/** Bounds what the model wrote: the other person may have dictated it. */
function readQuestion({ question, options = [] }: Readonly<Record<string, unknown>>): OwnerQuestion {
  const words = typeof question === "string" ? quoteLine(question, MAX_QUESTION_CHARACTERS) : "";
  if (words === "") throw new Error("question: must say what to ask.");
  if (!Array.isArray(options)) throw new Error("options: must be a list of short answers.");
  const labels = options.map((option) => quoteLine(String(option), MAX_CHOICE_CHARACTERS));
  const choices = [...new Set(labels.filter((label) => label !== ""))].slice(0, MOST_CHOICES);
  return { question: words, options: choices };
}

const VERIFIED: Readonly<Record<Trust, string>> = {
  stranger: "a number that is not known",
  known: "a known number, not verified",
  owner: "verified by a code",
};

function message(question: string, caller: string, trust: Trust, hasOptions: boolean): string {
  const how = hasOptions ? "Press a button, or reply to this message." : "Reply to this message with your answer.";
  return `On the phone with ${caller} (${VERIFIED[trust]}), your agent asks:\n${said(question, MAX_QUESTION_CHARACTERS)}\n\n${how}`;
}
