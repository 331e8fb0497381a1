import { bareHost } from "../../src/hosts/bare.ts";
import type { AnswerVerdict, ChannelAddress, ChannelAnswer, Host, OutgoingMessage } from "../../src/hosts/host.ts";
import { silentLogger } from "../../src/logger.ts";

export const OWNER: ChannelAddress = { channel: "telegram", to: "555" };

/** A message as somebody got it. */
interface Delivered extends OutgoingMessage {
  readonly address: ChannelAddress;
  readonly messageId: string;
}

/** A host's text channel: people in it see messages, press buttons and reply. */
export class TextChannel {
  readonly messages: Delivered[] = [];
  /** Who listens to answers. */
  readonly listeners = new Set<(answer: ChannelAnswer) => Promise<AnswerVerdict>>();
  /** Awaited before a message is taken; may throw. */
  beforeSend: (() => void | Promise<void>) | undefined;
  linked: readonly ChannelAddress[] = [];
  #arrived = Promise.withResolvers<void>();

  /** The host that has this channel. */
  host(parts: Partial<Host> = {}): Omit<Host, "route" | "admit" | "record" | "consult" | "report"> {
    return {
      ...bareHost,
      logger: silentLogger,
      capabilities: { ...bareHost.capabilities, send: true, buttons: true, answers: true },
      send: async (address, message) => {
        await this.beforeSend?.();
        const messageId = `m${this.messages.length + 1}`;
        this.messages.push({ ...message, address, messageId });
        this.#arrived.resolve();
        this.#arrived = Promise.withResolvers();
        return { messageId };
      },
      onAnswer: (listener) => {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
      },
      linked: async () => this.linked,
      ...parts,
    };
  }

  /** Resolves with the `count`th message, from 1. */
  async message(count: number): Promise<Delivered> {
    while (this.messages.length < count) await this.#arrived.promise;
    return this.messages[count - 1] as Delivered;
  }

  get last(): Delivered {
    return this.messages.at(-1) as Delivered;
  }

  /** Somebody presses the button of this label under a message. */
  press(label: string, { from = OWNER.to, under = this.last, channel = OWNER.channel } = {}): Promise<AnswerVerdict> {
    const value = under.buttons?.find((button) => button.label === label)?.value ?? `no button ${label}`;
    return this.tell({ channel, from, how: "button", value, inReplyTo: under.messageId });
  }

  /** Somebody replies to a message. */
  reply(value: string, { from = OWNER.to, to = this.last } = {}): Promise<AnswerVerdict> {
    return this.tell({ channel: OWNER.channel, from, how: "text", value, inReplyTo: to.messageId });
  }

  async tell(answer: ChannelAnswer): Promise<AnswerVerdict> {
    const [listener, ...others] = this.listeners;
    if (!listener || others.length > 0) throw new Error(`${this.listeners.size} listen to answers.`);
    return listener(answer);
  }
}
