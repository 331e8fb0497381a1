import type { ModelItem } from "./conversation.ts";
import { type MindAction, type ToolResult, type Turn, verbatim } from "./mind.ts";
import type { JsonObject } from "./wire.ts";

/** What a response is asked to think about. */
export interface Question {
  /** What the model reads: the conversation, or what the request gave instead. */
  readonly items: readonly ModelItem[];
  /** Instructions of the session. */
  readonly instructions: string;
  /** Instructions of this response alone. */
  readonly own: string | undefined;
  readonly tools: readonly JsonObject[];
  readonly toolsForbidden: boolean;
}

/** Items that some response has taken up: a tool's result and a system's order are answered once. */
export type Answered = Set<string>;

/**
 * Makes the turn of `question`, with what is new in it. Marks it answered, so that the next one does not repeat it.
 */
export function turnOf(question: Question, answered: Answered, session: Turn["session"]): Turn {
  const { items, own } = question;
  const lastSaid = items.findLastIndex((item) => item.type === "message" && item.role === "assistant");
  const heard = items.slice(lastSaid + 1).filter((item) => item.role === "user");
  const fresh = items.filter((item) => item.type === "function_call_output" && !answered.has(item.id));
  const toolResults = fresh.map((item): ToolResult => {
    const call = items.find((other) => other.type === "function_call" && other.callId === item.callId);
    return { name: call?.name ?? "", output: item.output ?? "" };
  });
  for (const item of fresh) answered.add(item.id);
  const newest = toolResults.at(-1);
  return {
    heard: words(heard),
    items,
    instructions: [question.instructions, own].filter((text) => text).join("\n"),
    ...(own === undefined ? {} : { responseInstructions: own }),
    tools: question.toolsForbidden
      ? []
      : question.tools.flatMap((tool) => (typeof tool["name"] === "string" ? [tool["name"]] : [])),
    ...(newest ? { toolResult: newest } : {}),
    toolResults,
    session,
  };
}

/** What must be said word for word in this turn, whatever the mind would say. */
export function orderedWords(question: Question, answered: Answered): readonly MindAction[] | undefined {
  const orders = question.items.filter((item) => item.role === "system" && !answered.has(item.id));
  for (const item of orders) answered.add(item.id);
  const spoken = question.items.some((item) => item.role === "user" || item.role === "assistant");
  const directions = [...(question.own === undefined ? [] : [question.own]), ...orders.map((item) => item.text)];
  return verbatim(directions, spoken ? undefined : question.instructions);
}

/** A model can only call what it is offered; what a rule asks beyond that is said instead of lost. */
export function offeredOnly(actions: readonly MindAction[], tools: readonly string[]): readonly MindAction[] {
  return actions.map((action) =>
    "call" in action && !tools.includes(action.call) ? { say: `I have no tool named ${action.call}.` } : action,
  );
}

// --- Internal helpers ---

function words(items: readonly ModelItem[]): string {
  return items
    .map((item) => item.text)
    .filter((text) => text !== "")
    .join(" ");
}
