import { afterEach, expect, test, vi } from "vitest";
import { answerThePhone } from "../../examples/embed.ts";
import { orderStatus } from "../../examples/own-tool.ts";
import type { VoiceConfig } from "../../src/config-types.ts";
import type { PersonScript } from "../../src/testing/phone-network/index.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, OUR_NUMBER, PUBLIC_URL, startWorld, type World } from "./world.ts";

let world: World | undefined;
afterEach(async () => {
  vi.restoreAllMocks();
  await world?.stop();
  world = undefined;
});

test("the embedding example answers the phone with an agent of one's own", async () => {
  const mind = ruleMind([
    { when: /capital/i, say: "One moment.", call: "ask_openclaw", args: { request: "capital of France" } },
    { when: "tool:ask_openclaw", say: (turn) => turn.toolResult?.output ?? "" },
  ]);
  world = await startWorld({ mind, settings: { accounts: {} } });
  const printed = vi.spyOn(console, "log").mockImplementation(() => {});
  const config = { publicUrl: PUBLIC_URL, listen: { port: 0 }, store: "memory", accounts: { default: world.account } };
  const voice = await answerThePhone(config as unknown as VoiceConfig, async (question) => `Asked: ${question}`, world);
  try {
    world.routes[PUBLIC_URL] = `http://127.0.0.1:${(await voice.status()).listening?.port}`;
    const script: PersonScript = async (line) => {
      await line.hearReply();
      await line.say("What is the capital?");
      await line.hearReply({ quietMs: 1_500 });
    };
    const ended = new Promise((done) => voice.once("ended", done));
    await world.phones.ring({ from: ANN, to: OUR_NUMBER, script }).ended;
    await ended;
    const lines = printed.mock.calls.map(([line]) => line);
    expect(lines).toContain("agent: Asked: capital of France");
    expect(lines.at(-1)).toBe("The call is over: caller_hangup");
  } finally {
    await voice.stop();
  }
});

test("a tool of one's own is called and its result is heard", async () => {
  const mind = ruleMind([
    { when: /order/i, say: "Let me see.", call: "order_status", args: { orderNumber: "1234" } },
    { when: "tool:order_status", say: (turn) => `It was ${turn.toolResult?.output}.` },
  ]);
  world = await startWorld({ mind, tools: [orderStatus] });
  const ended = new Promise<{ callId: string }>((done) => world?.plugin.once("ended", done));
  const script: PersonScript = async (line) => {
    await line.hearReply();
    await line.say("Where is my order?");
    await line.hearReply({ quietMs: 1_500 });
  };
  await world.phones.ring({ from: ANN, to: OUR_NUMBER, script }).ended;
  const { transcript } = await world.plugin.call((await ended).callId);
  expect(transcript.map(({ text }) => text)).toContain("It was shipped yesterday.");
});
