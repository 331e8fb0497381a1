import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AnswerVerdict, MessageButton } from "openclaw-voice-channel";
import {
  fliteVoice,
  ruleMind,
  scriptEars,
  startPhoneNetwork,
  startSpeechModel,
  steadyClock,
  taughtVoice,
} from "openclaw-voice-channel/testing";
import { expect, test } from "vitest";
import { answerForTheOwner, type OwnerChat } from "./owner-chat.ts";

type Listener = Parameters<OwnerChat["onAnswer"]>[0];

/** The owner's chat: a question is answered with its first button, at once. */
class QuickOwner implements OwnerChat {
  readonly texts: string[] = [];
  readonly verdicts: AnswerVerdict[] = [];
  readonly card = Promise.withResolvers<string>();
  readonly #listeners = new Set<Listener>();

  async send(to: string, text: string, [first]: readonly MessageButton[]): Promise<string> {
    this.texts.push(text);
    const inReplyTo = String(this.texts.length);
    if (text.startsWith("Phone call from")) this.card.resolve(text);
    else if (first) queueMicrotask(() => void this.#press({ from: to, how: "button", value: first.value, inReplyTo }));
    return inReplyTo;
  }

  onAnswer(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #press(answer: Parameters<Listener>[0]): Promise<void> {
    for (const listener of this.#listeners) this.verdicts.push(await listener(answer));
  }
}

test("a tool answers, then the owner does; afterwards they have a card, and the daily file a note", async () => {
  const clock = steadyClock({ speed: 5 });
  const [ears, flite] = [scriptEars(), fliteVoice({ clock })];
  const voice = taughtVoice(flite, ears);
  const question = { question: "Are we open on Sunday?", options: ["Yes", "No"] };
  const mind = ruleMind([
    { when: /order/, say: "Let me see.", call: "order_status", args: { orderNumber: "1234" } },
    { when: "tool:order_status", say: ({ toolResult }) => `It was ${toolResult?.output}.` },
    { when: /sunday/i, say: "One moment, I ask.", call: "ask_owner", args: question },
    { when: "tool:ask_owner", say: ({ toolResult }) => `The owner says: ${toolResult?.output}.` },
  ]);
  const routes: Record<string, string> = {};
  const [phones, model] = await Promise.all([
    startPhoneNetwork({ voice, routes, clock }),
    startSpeechModel({ voice, ears, mind, clock }),
  ]);
  const folder = await mkdtemp(join(tmpdir(), "owner-chat-"));
  await mkdir(join(folder, "memory"));
  const account = {
    number: "+15550001234",
    carrier: { accountSid: phones.accountSid, authToken: phones.authToken, apiBaseUrl: phones.url },
    engine: { apiKey: "any", baseUrl: model.url },
    allowFrom: ["+15550005678"],
    owner: { channel: "chat", to: "me" },
  };
  const settings = { publicUrl: "https://voice.example.com", listen: { port: 0 }, store: "memory" } as const;
  const owner = new QuickOwner();
  const config = { ...settings, accounts: { shop: account } } as never;
  const plugin = await answerForTheOwner(config, owner, folder, { stateDir: join(folder, "state"), clock });
  try {
    const { listening } = await plugin.status();
    routes[settings.publicUrl] = `http://127.0.0.1:${listening?.port}`;
    phones.addNumber(account.number, { voiceUrl: `${settings.publicUrl}/twilio/shop/voice` });

    const call = phones.ring({
      from: "+15550005678",
      to: account.number,
      script: async (line) => {
        await line.hearReply(); // the greeting
        await line.say("Where is my order?");
        await line.hearReply({ quietMs: 1_500 });
        await line.say("Are you open on Sunday?");
        await line.hearReply({ quietMs: 1_500 });
      },
    });
    await call.ended;

    const said = model.sessions[0]?.transcript.map(({ text }) => text);
    expect(said).toContain("It was shipped yesterday.");
    expect(said).toContain("The owner says: Yes.");
    expect(owner.verdicts).toMatchObject([{ taken: true }]);
    expect(await owner.card.promise).toContain("+15550005678");
    const [day] = await readdir(join(folder, "memory"));
    expect(await readFile(join(folder, "memory", String(day)), "utf8")).toContain("Are you open on Sunday?");
  } finally {
    for (const each of [plugin, phones, model]) await each.stop();
    clock.stop();
    await flite.close();
    await rm(folder, { recursive: true });
  }
});
