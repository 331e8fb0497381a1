import { expect, test } from "vitest";
import type { VoiceTool } from "../../src/calls/tools.ts";
import { silentLogger } from "../../src/logger.ts";
import type { Line, RingOrder } from "../../src/testing/phone-network/index.ts";
import { type Mind, ruleMind } from "../../src/testing/speech-model/index.ts";
import { BOB, OUR_NUMBER, types, worlds } from "./world.ts";

const world = worlds();
const OWNER = { channel: "telegram", to: "555" };

/** Obeys everybody; a code that the caller says is handed on as it was heard. */
const mind: Mind = (turn) => {
  const told = turn.items.findLast(({ role }) => role === "system")?.text;
  if (turn.heard === "" && turn.toolResult === undefined && told !== undefined) return [{ say: told }];
  return ruleMind([
    { when: /owner/i, call: "send_owner_code" },
    { when: /code is/i, call: "check_owner_code", args: ({ heard }) => ({ code: heard }) },
    { when: /door/i, call: "open_door" },
  ])(turn);
};

/** An account whose owner has a chat, a stranger who rings it, and a door that is the owner's. */
async function open() {
  const chat: string[] = [];
  let opened = 0;
  const door: VoiceTool = {
    name: "open_door",
    description: "Opens the door.",
    parameters: { type: "object" },
    trust: "owner",
    execute: async () => {
      opened += 1;
      return "The door is open.";
    },
  };
  const ours = await world({
    mind,
    tools: [door],
    speed: 8,
    model: { gullible: true },
    account: { dmPolicy: "open", owner: OWNER, afterCall: { card: false } },
    host: {
      logger: silentLogger,
      async send({ channel, to }, { text }) {
        chat.push(`${channel}:${to} ${text}`);
        return {};
      },
    },
  });
  const ring = async (script: RingOrder["script"]) => {
    const ending = ours.nextEnd();
    await ours.phones.ring({ from: BOB, to: OUR_NUMBER, ...(script && { script }) }).ended;
    return { call: await ending, session: ours.model.sessions.at(-1) };
  };
  const code = () => /your code is ([0-9]{6})/.exec(chat.at(-1) ?? "")?.[1] ?? "";
  return { ours, chat, ring, code, opened: () => opened };
}

/** Says something and hears the answer to its end. */
async function ask(line: Line, text: string): Promise<void> {
  await line.say(text);
  await line.hearReply({ quietMs: 1_500 });
}

const WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const spoken = (code: string) => [...code].map((digit) => WORDS[Number(digit)]).join(" ");

test("the owner's code by voice: it comes in their own chat, and opens on the call what is theirs", async () => {
  const { chat, ring, code, opened } = await open();
  const { call, session } = await ring(async (line) => {
    await line.hearReply();
    await ask(line, "Open the door.");
    expect(opened()).toBe(0);
    await ask(line, "I am the owner.");
    await ask(line, `The code is ${spoken(code())}.`);
    await ask(line, "Open the door.");
  });
  expect(chat).toEqual([expect.stringMatching(/^telegram:555 .*\+15550009999/)]);
  expect(opened()).toBe(1);
  expect(call.trust).toBe("owner");
  expect(types(call).filter((type) => /^code|^trust/.test(type))).toEqual(["code.sent", "code.tried", "trust.raised"]);
  const offered = JSON.stringify(session?.config.tools);
  expect(offered).toContain("open_door");
  expect(offered).not.toContain("owner_code");
  const called = call.journal.map(({ event }) => event).filter(({ type }) => type === "tool.called");
  expect(called).toContainEqual(expect.objectContaining({ name: "check_owner_code", argumentsJson: '{"code":"x"}' }));
});

test("the owner's code by keys: no digit of it is written down or told to the model", async () => {
  const { ring, code, opened } = await open();
  const { call, session } = await ring(async (line) => {
    await line.hearReply();
    await ask(line, "I am the owner.");
    await line.press(code());
    await line.hearReply({ quietMs: 1_500 });
    await ask(line, "Open the door.");
  });
  expect(call.trust).toBe("owner");
  expect(opened()).toBe(1);
  expect(JSON.stringify(call.journal)).not.toContain(code());
  expect(JSON.stringify(session?.received)).not.toContain(code());
  const keys = call.journal.flatMap(({ event }) => (event.type === "dtmf.received" ? [event.digit] : []));
  expect(keys).toEqual(["x", "x", "x", "x", "x", "x"]);
});

test("five wrong codes lock the account, for the next call too, and the door stays shut", async () => {
  const { ring, code, opened, chat } = await open();
  const wrong = () => String((Number(code()) + 1) % 1_000_000).padStart(6, "0");
  const { call } = await ring(async (line) => {
    await line.hearReply();
    await ask(line, "I am the owner.");
    for (let tries = 0; tries < 5; tries += 1) {
      await line.press(wrong());
      await line.hearReply({ quietMs: 1_500 });
    }
    await ask(line, `The code is ${spoken(code())}.`);
    await ask(line, "Open the door.");
  });
  expect(call.trust).toBe("stranger");
  const next = await ring(async (line) => {
    await line.hearReply();
    await ask(line, "I am the owner.");
  });
  expect(next.call.words.at(-1)).toContain("Too many wrong codes were given");
  expect(chat).toHaveLength(1);
  expect(opened()).toBe(0);
});
