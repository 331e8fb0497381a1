import type { ServerResponse } from "node:http";
import { setTimeout } from "node:timers/promises";
import { readBody, serveLoopback } from "./loopback.ts";
import { type Seen, seen } from "./until.ts";

/** One request to the stand-in model, read as a test wants to read it. */
export interface ModelTurn {
  /** The system prompt. */
  readonly system: string;
  /** Every message after the system prompt, oldest first, as `role: text`. */
  readonly history: readonly string[];
  /** What the person said last. The host's own notes, which it appends as user messages, are left out. */
  readonly userText: string;
  /** Results of tools called since then, oldest first. */
  readonly toolResults: readonly string[];
  /** Names of the tools that were offered. */
  readonly tools: readonly string[];
}

/** What the stand-in does with a turn. */
export type ModelReply =
  /** `wordMs` has it write word by word, so far apart. */
  | { readonly text: string; readonly wordMs?: number }
  | { readonly tool: string; readonly args: object }
  /** It refuses the request with these words. */
  | { readonly refusal: string };

/** An OpenAI-compatible chat model on loopback that does what the test's rules say and remembers what it was sent. */
export interface StandInModel {
  readonly baseUrl: string;
  readonly turns: Seen<ModelTurn>;
  /** Puts a rule before the others; the first that answers wins. Without any, it says "Understood." */
  rule(rule: (turn: ModelTurn) => ModelReply | undefined): void;
  close(): Promise<void>;
}

/**
 * Calls a plugin's tool as a model must: directly when it is offered, through the host's Tool Search otherwise.
 * The host hides plugin tools behind `tool_search` and `tool_call` unless told not to.
 */
export function callTool(turn: ModelTurn, tool: string, args: object): ModelReply {
  return turn.tools.includes(tool) ? { tool, args } : { tool: "tool_call", args: { id: tool, args } };
}

interface ChatMessage {
  readonly role: string;
  readonly content?: string | readonly { readonly text?: string }[] | null;
}

interface ChatRequest {
  readonly model?: string;
  readonly stream?: boolean;
  readonly messages?: readonly ChatMessage[];
  readonly tools?: readonly { readonly function?: { readonly name?: string } }[];
}

export async function startStandInModel(): Promise<StandInModel> {
  const turns = seen<ModelTurn>((turn) => turn.history.slice(-3).join(" | ").slice(0, 600));
  const rules: ((turn: ModelTurn) => ModelReply | undefined)[] = [];
  let count = 0;
  const server = await serveLoopback(async (request, response) => {
    if (request.method === "GET") return sendJson(response, { data: [{ id: "stand-in" }] });
    const body = JSON.parse(await readBody(request)) as ChatRequest;
    const turn = readTurn(body);
    turns.add(turn);
    let reply: ModelReply | undefined;
    for (const rule of rules) {
      reply = rule(turn);
      if (reply) break;
    }
    count += 1;
    if (reply && "refusal" in reply) {
      response.statusCode = 400;
      return sendJson(response, { error: { message: reply.refusal, type: "invalid_request_error" } });
    }
    return sendReply(response, body, reply ?? { text: "Understood." }, `standin-${count}`);
  });
  return {
    baseUrl: `${server.url}/v1`,
    turns,
    rule: (rule) => rules.unshift(rule),
    close: server.close,
  };
}

function textOf(message: ChatMessage): string {
  if (typeof message.content === "string") return message.content;
  return (message.content ?? []).map((part) => part.text ?? "").join("\n");
}

function readTurn(body: ChatRequest): ModelTurn {
  const messages = body.messages ?? [];
  const isPerson = (message: ChatMessage) =>
    message.role === "user" && !textOf(message).startsWith("<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>");
  const last = messages.findLastIndex(isPerson);
  const lastMessage = messages[last];
  return {
    system: messages
      .filter((message) => message.role === "system")
      .map(textOf)
      .join("\n"),
    history: messages
      .filter((message) => message.role !== "system")
      .map((message) => `${message.role}: ${textOf(message)}`),
    userText: lastMessage ? textOf(lastMessage) : "",
    toolResults: messages
      .slice(last + 1)
      .filter((message) => message.role === "tool")
      .map(textOf),
    tools: (body.tools ?? []).flatMap((tool) => tool.function?.name ?? []),
  };
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(value));
}

type Answer = Exclude<ModelReply, { readonly refusal: string }>;

async function sendReply(response: ServerResponse, body: ChatRequest, reply: Answer, id: string): Promise<void> {
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
  const toolCalls =
    "tool" in reply
      ? [
          {
            index: 0,
            id: `call_${id}`,
            type: "function",
            function: { name: reply.tool, arguments: JSON.stringify(reply.args) },
          },
        ]
      : undefined;
  const delta = {
    role: "assistant",
    content: "text" in reply ? reply.text : null,
    ...(toolCalls && { tool_calls: toolCalls }),
  };
  const finish = toolCalls ? "tool_calls" : "stop";
  const base = { id, created: Math.floor(Date.now() / 1000), model: body.model };
  if (!body.stream) {
    const choices = [{ index: 0, finish_reason: finish, message: delta }];
    sendJson(response, { ...base, object: "chat.completion", choices, usage });
    return;
  }
  const chunk = (choices: unknown[], more = {}) =>
    response.write(`data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", choices, ...more })}\n\n`);
  response.setHeader("content-type", "text/event-stream");
  if ("text" in reply && reply.wordMs !== undefined) {
    for (const word of reply.text.match(/\S+\s*/g) ?? []) {
      chunk([{ index: 0, delta: { role: "assistant", content: word }, finish_reason: null }]);
      await setTimeout(reply.wordMs);
    }
  } else {
    chunk([{ index: 0, delta, finish_reason: null }]);
  }
  chunk([{ index: 0, delta: {}, finish_reason: finish }]);
  chunk([], { usage });
  response.end("data: [DONE]\n\n");
}
