import type { ServerResponse } from "node:http";
import { readBody, serveLoopback } from "./loopback.ts";
import { type Seen, seen } from "./until.ts";

/** A message the bot sent. */
export interface BotMessage {
  readonly chatId: string;
  readonly text: string;
}

/** As much of the Telegram Bot API as a private chat needs, on loopback. */
export interface StandInTelegram {
  readonly apiRoot: string;
  /** What the bot sent, in order. */
  readonly sent: Seen<BotMessage>;
  /** A person writes to the bot. */
  write(userId: number, text: string): void;
  close(): Promise<void>;
}

/** https://core.telegram.org/bots/api#getupdates: an answer waits until there is an update or the time is over. */
const LONGEST_POLL_MS = 20_000;

export async function startStandInTelegram(): Promise<StandInTelegram> {
  const sent = seen<BotMessage>((message) => `${message.chatId}: ${message.text}`);
  const updates: { update_id: number; message: object }[] = [];
  const polls = new Set<() => void>();
  let nextId = 1;

  const getUpdates = (response: ServerResponse, offset: number, timeoutSeconds: number) => {
    const due = () => updates.filter((update) => update.update_id >= offset);
    const answer = () => {
      clearTimeout(timer);
      polls.delete(check);
      ok(response, due());
    };
    const check = () => {
      if (due().length > 0) answer();
    };
    const timer = setTimeout(answer, Math.min(timeoutSeconds * 1000, LONGEST_POLL_MS));
    response.once("close", () => {
      clearTimeout(timer);
      polls.delete(check);
    });
    polls.add(check);
    check();
  };

  const server = await serveLoopback(async (request, response) => {
    const method = /\/bot[^/]+\/(\w+)/.exec(request.url ?? "")?.[1];
    const body = parseBody(await readBody(request));
    switch (method) {
      case "getMe":
        return ok(response, { id: 42, is_bot: true, first_name: "Nia", username: "nia_bot", can_join_groups: true });
      case "getUpdates":
        return getUpdates(response, Number(body["offset"] ?? 0), Number(body["timeout"] ?? 0));
      case "sendMessage": {
        sent.add({ chatId: String(body["chat_id"]), text: String(body["text"]) });
        const chat = { id: Number(body["chat_id"]), type: "private" };
        return ok(response, { message_id: nextId++, date: seconds(), chat, text: body["text"] });
      }
      case "getWebhookInfo":
        return ok(response, { url: "", has_custom_certificate: false, pending_update_count: 0 });
      default:
        return ok(response, true);
    }
  });

  return {
    apiRoot: server.url,
    sent,
    write(userId, text) {
      const person = { id: userId, is_bot: false, first_name: "Ann" };
      const chat = { id: userId, type: "private", first_name: "Ann" };
      const id = nextId++;
      updates.push({ update_id: id, message: { message_id: id, date: seconds(), chat, from: person, text } });
      for (const check of [...polls]) check();
    },
    close: server.close,
  };
}

function ok(response: ServerResponse, result: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ ok: true, result }));
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}

function parseBody(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return Object.fromEntries(new URLSearchParams(text)); // methods without a JSON body
  }
}
