import {
  type AnswerVerdict,
  type ChannelAnswer,
  type Clock,
  type MessageButton,
  standaloneHost,
  VoiceChannelPlugin,
  type VoiceConfig,
} from "openclaw-voice-channel";
import { orderStatus } from "./own-tool.ts";

/** A chat of your own, in which the owner reads and answers. */
export interface OwnerChat {
  /** Sends a message, and resolves with the id by which replies refer to it. */
  send(to: string, text: string, buttons: readonly MessageButton[]): Promise<string>;
  /** Tells of each button that is pressed and each text that is written, until the returned function is called. */
  onAnswer(listener: (answer: Omit<ChannelAnswer, "channel">) => Promise<AnswerVerdict>): () => void;
}

/**
 * Answers the phone with a memory, a tool and an owner: `folder` holds MEMORY.md and memory/, and the account's settings
 * name the owner as `owner: { channel: "chat", to: … }`. The owner gets a card after each call, is asked while one runs,
 * and is sent the codes that verify them.
 */
export async function answerForTheOwner(
  config: VoiceConfig,
  chat: OwnerChat,
  folder: string,
  options: { stateDir: string; clock?: Clock },
) {
  const host = standaloneHost({
    workspaceDir: folder,
    send: async ({ to }, { text, buttons = [] }) => ({ messageId: await chat.send(to, text, buttons) }),
    answers: (listener) =>
      chat.onAnswer(async (answer) => {
        const verdict = await listener({ channel: "chat", ...answer });
        if (verdict.reply !== undefined) await chat.send(answer.from, verdict.reply, []);
        return verdict; // not `taken`: it was meant for somebody else
      }),
  });
  const voice = new VoiceChannelPlugin({ config, host, ...options, tools: [orderStatus] });
  await voice.start();
  return voice;
}
