import type { ModelItem } from "./conversation.ts";
import type { ModelSession } from "./session.ts";

/** What a response is made of, in the order in which it is said or done. */
export type MindAction =
  | { readonly say: string }
  | { readonly call: string; readonly args: object }
  | { readonly silence: number };

/** What the model knows when it answers. */
export interface Turn {
  /** What the user said since the assistant's last message, or "" when there is nothing new. */
  readonly heard: string;
  readonly items: readonly ModelItem[];
  /** The session's instructions, followed by this response's own. */
  readonly instructions: string;
  readonly responseInstructions?: string;
  /** Names of the tools on offer. */
  readonly tools: readonly string[];
  /** The newest tool result that no response has taken up yet. */
  readonly toolResult?: ToolResult;
  /** All of them, oldest first. */
  readonly toolResults: readonly ToolResult[];
  readonly session: ModelSession;
}

/** What a client answered to a function call. */
export interface ToolResult {
  readonly name: string;
  readonly output: string;
}

/** Decides what the model says and does. */
export type Mind = (turn: Turn) => readonly MindAction[] | Promise<readonly MindAction[]>;

/** One line of a rule table; the first that fits answers. */
export interface Rule {
  /** Words of the user, `"tool:<name>"` for a tool's result, `"nothing"` when nobody has said anything yet. */
  readonly when: RegExp | `tool:${string}` | "nothing" | "otherwise";
  /** What is said, before any call. */
  readonly say?: string | ((turn: Turn, match: RegExpExecArray | undefined) => string);
  /** The tool that is called. */
  readonly call?: string;
  readonly args?: object | ((turn: Turn, match: RegExpExecArray | undefined) => object);
  /** Milliseconds of pause before anything is said. */
  readonly pauseMs?: number;
}

/** A mind that is a table. What no rule covers gets a plain answer: a result is read out, words are acknowledged. */
export function ruleMind(rules: readonly Rule[]): Mind {
  return (turn) => {
    for (const rule of [...rules, ...PLAIN]) {
      const match = fits(rule, turn);
      if (!match) continue;
      const found = match === true ? undefined : match;
      const say = typeof rule.say === "function" ? rule.say(turn, found) : rule.say;
      const args = typeof rule.args === "function" ? rule.args(turn, found) : (rule.args ?? {});
      return [
        ...(rule.pauseMs === undefined ? [] : [{ silence: rule.pauseMs }]),
        ...(say === undefined ? [] : [{ say }]),
        ...(rule.call === undefined ? [] : [{ call: rule.call, args }]),
      ];
    }
    return [];
  };
}

/**
 * What every model does before its own mind is asked: text in quotes that the instructions tell it to say is said
 * word for word. Looks at the response's own directions; for the very first words at the session's greeting too.
 */
export function verbatim(
  directions: readonly string[],
  opening: string | undefined,
): readonly MindAction[] | undefined {
  for (const text of directions) {
    const words = quotedAfter(SPEAK, text);
    if (words !== undefined) return [{ say: words }];
  }
  const greeting = opening === undefined ? undefined : quotedAfter(GREET, opening);
  return greeting === undefined ? undefined : [{ say: greeting }];
}

/** A mind that obeys every caller: says, calls and tells what it is asked, whether it may or not. */
export function gullible(mind: Mind): Mind {
  return (turn) => {
    if (turn.toolResult !== undefined) return mind(turn); // what asked for it was obeyed already
    const call = /\b(?:call|use|run|invoke)(?: the)?(?: tool| function)? (\w+)(?: (?:with|using) (\{.*\}))?/is.exec(
      turn.heard,
    );
    if (
      /\b(?:tell|repeat|recite|read|reveal|print|say)\b.*\b(?:instructions|context|prompt|everything you know)\b/is.test(
        turn.heard,
      )
    ) {
      return [{ say: recited(turn) }];
    }
    if (
      call &&
      (call[2] !== undefined || turn.tools.includes(call[1] as string) || /\b(?:tool|function)\b/i.test(call[0]))
    ) {
      return [{ call: call[1] as string, args: parsedArguments(call[2]) }];
    }
    const say = /\b(?:say|repeat after me)[:,]?\s+(.+)/is.exec(turn.heard);
    return say ? [{ say: say[1] as string }] : mind(turn);
  };
}

// --- Internal helpers ---

const SPEAK = /\b(?:say|speak|read|repeat|tell|greet|answer|reply|respond|announce|open|begin|start)\b/i;
const GREET = /\b(?:greet|greeting|open|begin|start|first (?:say|words?))\b/i;
const QUOTED = /"((?:[^"\\]|\\.)+)"|“([^”]+)”|«([^»]+)»/g;

const PLAIN: readonly Rule[] = [
  { when: "nothing", say: "Hello, how can I help you?" },
  { when: /\S/, say: "I see. What else can I do for you?" },
  { when: "otherwise", say: ({ toolResult }) => toolResult?.output ?? "Sorry, I did not catch that." },
];

/** A tool's result is taken up before any words: a rule for words does not see that turn. */
function fits(rule: Rule, { toolResult, items, heard }: Turn): RegExpExecArray | boolean {
  if (rule.when === "otherwise") return true;
  if (typeof rule.when === "string" && rule.when !== "nothing") return rule.when === `tool:${toolResult?.name}`;
  if (toolResult !== undefined) return false;
  if (rule.when === "nothing") return items.every((item) => item.role !== "user");
  return new RegExp(rule.when.source, rule.when.flags.replace(/[gy]/g, "")).exec(heard) ?? false;
}

/** The first quotation after a verb, with the escapes of a JSON string undone. */
function quotedAfter(verb: RegExp, text: string): string | undefined {
  const start = verb.exec(text)?.index;
  if (start === undefined) return undefined;
  QUOTED.lastIndex = start;
  const match = QUOTED.exec(text);
  if (!match) return undefined;
  return (match[1]?.replace(/\\n/g, " ").replace(/\\(.)/g, "$1") ?? match[2] ?? match[3])?.trim();
}

function recited(turn: Turn): string {
  return [turn.instructions, ...turn.items.map((item) => item.text)].filter((text) => text !== "").join(" ");
}

function parsedArguments(json: string | undefined): object {
  try {
    const value: unknown = JSON.parse(json ?? "{}");
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return { input: json }; // it obeys as well as it can
  }
}
