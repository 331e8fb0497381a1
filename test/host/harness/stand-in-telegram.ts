import type { ServerResponse } from "node:http";
import { readBody, serveLoopback } from "./loopback.ts";
import { type Seen, seen } from "./until.ts";

/** A message the bot sent. */
export interface BotMessage {
  readonly chatId: string;
  readonly text: string;
  readonly messageId: number;
  /** What stands on the buttons under it, and what comes back when they are pressed. */
  readonly buttons: readonly { readonly text: string; readonly callback_data: string }[];
}

/** As much of the Telegram Bot API as a private chat needs, on loopback. */
export interface StandInTelegram {
  readonly apiRoot: string;
  /** What the bot sent, in order. */
  readonly sent: Seen<BotMessage>;
  /** Messages whose buttons were taken away, in order. */
  readonly cleared: Seen<number>;
  /** A person writes to the bot; `replyTo` makes it a reply to one of the bot's messages. */
  write(userId: number, text: string, replyTo?: BotMessage): void;
  /** A person presses a button of one of the bot's messages. */
  press(userId: number, message: BotMessage, button: string): void;
  close(): Promise<void>;
}

/** https://core.telegram.org/bots/api#getupdates: an answer waits until there is an update or the time is over. */
const LONGEST_POLL_MS = 20_000;

export async function startStandInTelegram(): Promise<StandInTelegram> {
  const sent = seen<BotMessage>((message) => `${message.chatId}: ${message.text}`);
  const cleared = seen<number>((messageId) => `${messageId}`);
  const updates: { readonly update_id: number }[] = [];
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
        const messageId = nextId++;
        const text = String(body["text"]);
        sent.add({ chatId: String(body["chat_id"]), text, messageId, buttons: buttonsOf(body["reply_markup"]) });
        const chat = { id: Number(body["chat_id"]), type: "private" };
        return ok(response, { message_id: messageId, date: seconds(), chat, text });
      }
      case "editMessageReplyMarkup":
        if (buttonsOf(body["reply_markup"]).length === 0) cleared.add(Number(body["message_id"]));
        return ok(response, true);
      case "getWebhookInfo":
        return ok(response, { url: "", has_custom_certificate: false, pending_update_count: 0 });
      default:
        return ok(response, true);
    }
  });

  const arrive = (update: object) => {
    updates.push({ update_id: nextId++, ...update });
    for (const check of [...polls]) check();
  };
  const personOf = (id: number) => ({ id, is_bot: false, first_name: "Ann" });
  const chatOf = (id: number) => ({ id, type: "private", first_name: "Ann" });
  const asReceived = ({ messageId, text }: BotMessage, userId: number) => ({
    message_id: messageId,
    date: seconds(),
    chat: chatOf(userId),
    from: { id: 42, is_bot: true, first_name: "Nia", username: "nia_bot" },
    text,
  });

  return {
    apiRoot: server.url,
    sent,
    cleared,
    write(userId, text, replyTo) {
      const reply = replyTo && { reply_to_message: asReceived(replyTo, userId) };
      const from = personOf(userId);
      arrive({ message: { message_id: nextId++, date: seconds(), chat: chatOf(userId), from, text, ...reply } });
    },
    press(userId, message, button) {
      const pressed = message.buttons.find(({ text }) => text === button);
      if (!pressed) throw new Error(`there is no button "${button}" under: ${message.text}`);
      arrive({
        callback_query: {
          id: `press-${nextId}`,
          from: personOf(userId),
          chat_instance: "1",
          data: pressed.callback_data,
          message: asReceived(message, userId),
        },
      });
    },
    close: server.close,
  };
}

/** The Bot API takes `reply_markup` as an object, and as JSON in a form. */
function buttonsOf(markup: unknown): BotMessage["buttons"] {
  const { inline_keyboard: rows = [] } = (typeof markup === "string" ? JSON.parse(markup) : (markup ?? {})) as {
    inline_keyboard?: BotMessage["buttons"][];
  };
  return rows.flat();
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
