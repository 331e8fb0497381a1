import type { OpenClawPluginApi } from "openclaw/plugin-sdk/channel-core";
import { type Clock, sleep } from "../../core/clock.ts";
import type { AnswerVerdict, ChannelAnswer } from "../host.ts";
import { CHANNEL } from "./channel-id.ts";
import { accountSections } from "./raw-config.ts";
import { BUTTONS } from "./send.ts";

/** Asks the open channel what becomes of an answer; `undefined` when no channel is open, or it failed. */
export type TakeAnswer = (answer: ChannelAnswer) => Promise<AnswerVerdict | undefined>;

/** The host blocks the chat of whoever answers until we are done: after so long they are let go. */
const LONGEST_MS = 2_000;

const NOT_NOW = "This cannot be taken right now. Please press again in a minute.";
const NOT_OPEN = "This question is not open any more.";
const NOT_YOU = "This question was not meant for you.";

/** As much of a press as the host's channels agree on. Each names the press itself as it likes. */
interface Press {
  readonly channel: string;
  readonly senderId?: string;
  readonly auth?: { readonly isAuthorizedSender?: boolean };
  /** Telegram's name for it. */
  readonly callback?: PressedButton;
  /** The name that other channels have for it. */
  readonly interaction?: PressedButton;
  readonly respond?: {
    reply?(message: { readonly text: string }): Promise<void>;
    clearButtons?(): Promise<void>;
    clearComponents?(): Promise<void>;
  };
}

interface PressedButton {
  /** The button's value, without the mark of its plugin. */
  readonly payload?: string;
  readonly messageId?: string | number;
}

/**
 * Listens, from the moment the host loads the plugin, to presses of our buttons and to replies to messages. A press is
 * always ours: unless we say so the host hands its raw value to the agent as if somebody had written it. Never throws:
 * the host would repeat what threw, and hold up everything else that this person writes.
 */
export function registerAnswers(api: OpenClawPluginApi, take: TakeAnswer, clock: Clock): void {
  const { logger } = api;
  const inTime = async (answer: ChannelAnswer): Promise<AnswerVerdict | "late" | undefined> => {
    const enough = new AbortController();
    const late = sleep(clock, LONGEST_MS, enough.signal).then(
      () => "late" as const,
      () => undefined, // it was in time
    );
    const verdict = take(answer).catch((error: unknown) => {
      logger.warn(`${CHANNEL}: an answer from ${answer.channel} could not be taken: ${nameOf(error)}`);
      return undefined;
    });
    try {
      return await Promise.race([verdict, late]);
    } finally {
      enough.abort();
    }
  };
  const press = async (context: unknown) => {
    try {
      await pressed(context as Press, inTime);
    } catch (error) {
      logger.warn(`${CHANNEL}: a press could not be answered: ${nameOf(error)}`);
    }
    return { handled: true };
  };
  for (const channel of answeringChannels(api.config)) {
    api.registerInteractiveHandler({ channel, namespace: BUTTONS, handler: press });
  }
  api.on("before_dispatch", async ({ content, replyToId, senderId, channel }, context) => {
    const from = senderId ?? context.senderId;
    const where = channel ?? context.channelId;
    if (replyToId === undefined || from === undefined || where === undefined || where === CHANNEL) return undefined;
    const words = content.trim();
    // Commands are the host's, and a press that nobody took comes along as a text.
    if (words === "" || words.startsWith("/") || words.startsWith("callback_data:")) return undefined;
    const verdict = await inTime({ channel: where, from, how: "text", value: words, inReplyTo: replyToId });
    if (verdict === undefined || verdict === "late" || !verdict.taken) return undefined;
    return { handled: true, ...(verdict.reply !== undefined && { text: verdict.reply }) };
  });
}

/** The channels in which an owner may press a button: those that accounts name, and the two that most people use. */
export function answeringChannels(cfg: Parameters<typeof accountSections>[0]): readonly string[] {
  const named = Object.values(accountSections(cfg)).map(({ owner }) => {
    const channel = typeof owner === "object" && owner !== null && "channel" in owner ? owner.channel : undefined;
    return typeof channel === "string" ? channel.trim().toLowerCase() : "";
  });
  return [...new Set(["telegram", "discord", ...named])].filter((channel) => channel !== "" && channel !== CHANNEL);
}

// --- Internal helpers ---

async function pressed(
  { channel, senderId, auth, callback, interaction, respond }: Press,
  inTime: (answer: ChannelAnswer) => Promise<AnswerVerdict | "late" | undefined>,
): Promise<void> {
  const button = callback ?? interaction;
  const reply = (text: string) => respond?.reply?.({ text });
  if (button?.payload === undefined || senderId === undefined) return;
  if (auth?.isAuthorizedSender === false) return reply(NOT_YOU);
  const verdict = await inTime({
    channel,
    from: senderId,
    how: "button",
    value: button.payload,
    ...(button.messageId !== undefined && { inReplyTo: String(button.messageId) }),
  });
  if (verdict === undefined || verdict === "late") return reply(NOT_NOW);
  const words = verdict.reply ?? (verdict.taken ? undefined : NOT_OPEN);
  const said = words === undefined ? undefined : reply(words);
  const cleared = verdict.clearButtons ? (respond?.clearButtons ?? respond?.clearComponents)?.() : undefined;
  await Promise.all([said, cleared]);
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}
