/** What a question is for: `ask`: the model wants to know; `link`: whose number is this; `card`: what to do after a call. */
export type QuestionKind = "ask" | "link" | "card";

/** A question that was put to a person in a text channel. It is kept as it is written here. */
export interface Question {
  /** At most ten characters of ASCII: it travels in every button. */
  readonly id: string;
  readonly accountId: string;
  /** The call that it came from. */
  readonly callId?: string;
  readonly kind: QuestionKind;
  /** What it is about, as its asker finds it again: a number, say. */
  readonly about?: string;
  /** Whom it was put to; nobody else answers it. */
  readonly address: { readonly channel: string; readonly to: string; readonly accountId?: string };
  /** Whether the channel has taken the message. */
  readonly sent: boolean;
  /** The message that asks, as the channel names it: texts answer by referring to it. */
  readonly messageId?: string;
  readonly text: string;
  /** Labels of its buttons, at most ten. */
  readonly options: readonly string[];
  /** Milliseconds since the epoch. */
  readonly askedAtMs: number;
  /** From then on answers are too late. */
  readonly expiresAtMs: number;
  readonly state: "open" | "answered" | "expired";
  /** The label that was chosen, or the words. */
  readonly answer?: string;
  /** Which button it was, from 0; absent for words that are no label. */
  readonly option?: number;
  readonly by?: "button" | "text";
  /** Whether that which follows from the answer is done. */
  readonly done: boolean;
}

/** A question with its one answer. */
export type AnsweredQuestion = Question & {
  readonly state: "answered";
  readonly answer: string;
  readonly by: "button" | "text";
};

/** An answer that somebody gives. */
export type GivenAnswer =
  | { readonly how: "button"; readonly option: number }
  | { readonly how: "text"; readonly text: string };

/** What an answer comes to. Only `answered` changes anything. */
export type AnswerResult =
  | { readonly result: "answered"; readonly question: AnsweredQuestion }
  /** Somebody was first, or it was this very answer, told again. */
  | { readonly result: "repeated" }
  | { readonly result: "late" }
  /** It has no such button, or only its buttons answer it. */
  | { readonly result: "unfit" };

/** The most buttons under a question. */
export const MOST_OPTIONS = 10;
/** Longer answers are cut. */
const MAX_ANSWER_CHARACTERS = 500;

/** The first fitting answer in time is the answer; none changes it afterwards. */
export function answerQuestion(question: Question, given: GivenAnswer, nowMs: number): AnswerResult {
  if (question.state === "answered") return { result: "repeated" };
  if (question.state === "expired" || nowMs >= question.expiresAtMs) return { result: "late" };
  const option = given.how === "button" ? given.option : optionSaid(question, given.text);
  const label = option === undefined ? undefined : question.options[option];
  const answer = label ?? (given.how === "text" && question.kind === "ask" ? bounded(given.text) : "");
  if (answer === "") return { result: "unfit" };
  const chosen = label !== undefined && option !== undefined && { option };
  return { result: "answered", question: { ...question, state: "answered", answer, by: given.how, ...chosen } };
}

/** Closes a question whose time is over; any other stays as it is. */
export function expireQuestion(question: Question, nowMs: number): Question {
  return question.state === "open" && nowMs >= question.expiresAtMs ? { ...question, state: "expired" } : question;
}

/** Whether it was this person, in this channel, whom the question was put to. */
export function isAskedOf(
  { address }: Pick<Question, "address">,
  person: { readonly channel: string; readonly from: string },
): boolean {
  const channel = address.channel.toLowerCase();
  return channel === person.channel.toLowerCase() && bare(address.to, channel) === bare(person.from, channel);
}

/** What a button sends back when it is pressed: 14 bytes at most. */
export function buttonValue(id: string, option: number): string {
  return `q:${id}:${option}`;
}

/** Reads a button's value; `undefined` when it is none of ours. */
export function readButtonValue(value: string): { readonly id: string; readonly option: number } | undefined {
  const [, id, option] = /^q:([\w-]{1,10}):(\d)$/.exec(value) ?? [];
  return id === undefined ? undefined : { id, option: Number(option) };
}

// --- Internal helpers ---

/** The button that these words name. */
function optionSaid({ options }: Question, text: string): number | undefined {
  const said = plain(text);
  const option = options.findIndex((label) => plain(label) === said);
  return option < 0 ? undefined : option;
}

const plain = (text: string) =>
  text
    .trim()
    .replace(/[.!]+$/, "")
    .toLowerCase();

function bounded(text: string): string {
  return text.trim().slice(0, MAX_ANSWER_CHARACTERS).toWellFormed();
}

/** A person's name in a channel without what some channels put before it. */
function bare(name: string, channel: string): string {
  const whole = name.trim();
  const rest = whole.toLowerCase().startsWith(`${channel}:`) ? whole.slice(channel.length + 1) : whole;
  return rest.replace(/^user:/i, "");
}
