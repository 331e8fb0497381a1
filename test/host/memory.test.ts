import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ChannelAnswer } from "../../src/hosts/host.ts";
import { ANN_PHONE, ANN_TELEGRAM } from "./harness/config.ts";
import { type ProbeWorld, startProbeWorld } from "./harness/probe-world.ts";
import { callTool } from "./harness/stand-in-model.ts";

const SECRET_OF_THE_OWNER = "The key is under the third flower pot.";
const ANN = { accountId: "default", agentId: "main", number: ANN_PHONE, direction: "inbound" } as const;
const TELEGRAM = { channel: "telegram", to: String(ANN_TELEGRAM) };
const SESSION = { agentId: "main", sessionKey: "agent:main:direct:ann" };

let world: ProbeWorld;

beforeAll(async () => {
  world = await startProbeWorld();
  await writeFile(join(world.home.workspaceDir, "MEMORY.md"), `# Private\n\n${SECRET_OF_THE_OWNER}\n`);
}, 300_000);

afterAll(() => world?.stop(), 60_000);

/** A turn of Ann's on the phone. */
function turn(text: string, more: object = {}) {
  const { sessionKey, agentId } = SESSION;
  const turnId = `turn-${text.length}-${text}`;
  return {
    callId: "call_1",
    agentId,
    sessionKey,
    accountId: "default",
    number: ANN_PHONE,
    trust: "owner",
    turnId,
    text,
    ...more,
  };
}

async function heardAnswers(): Promise<readonly ChannelAnswer[]> {
  return (await world.ask("answers")).value as readonly ChannelAnswer[];
}

test("the agent's path is warmed up without a call of the model", async () => {
  const before = world.model.turns.all.length;
  const { error } = await world.ask("warmUp");
  expect(error).toBeUndefined();
  expect(world.model.turns.all.length).toBe(before);
  const first = await world.ask("consult", consultation("First?"));
  const second = await world.ask("consult", consultation("Second?"));
  expect([first.value, second.value]).toEqual(["Understood.", "Understood."]);
});

test("case 30: a caller's session is the host's own, by link, by number, and by the account's rule", async () => {
  const route = async (more: object = {}) => (await world.ask("route", { ...ANN, ...more })).value;
  expect(await route()).toMatchObject({ ...SESSION, principal: "ann" });
  expect(await route({ number: "+15559998888" })).toMatchObject({ sessionKey: "agent:main:direct:+15559998888" });
  expect(await route({ scope: "main" })).toMatchObject({ sessionKey: "agent:main:main" });
  expect(await route({ scope: "per-caller" })).toMatchObject(SESSION);
  expect(await route({ scope: "per-call", callId: "call_A1" })).toMatchObject({
    sessionKey: "agent:main:voice:default:direct:call_a1",
  });
});

describe("a message to the owner", () => {
  test("carries buttons, and a press comes back once with its value, and nobody else hears of it", async () => {
    const buttons = [
      { label: "Yes", value: "q1:yes" },
      { label: "No", value: "q1:no" },
    ];
    const { value } = await world.ask("send", TELEGRAM, { text: "Move to 3pm?", buttons });
    const message = await world.telegram.sent.first("the question", ({ text }) => text === "Move to 3pm?");
    expect(value).toEqual({ messageId: String(message.messageId) });
    expect(message.buttons.map(({ text }) => text)).toEqual(["Yes", "No"]);
    const turns = world.model.turns.all.length;
    world.telegram.press(ANN_TELEGRAM, message, "Yes");
    await world.telegram.sent.first("what the press led to", ({ text }) => text === "Noted: q1:yes");
    await world.telegram.cleared.first("no more buttons", (id) => id === message.messageId);
    const inReplyTo = String(message.messageId);
    expect(await heardAnswers()).toEqual([
      { channel: "telegram", from: String(ANN_TELEGRAM), how: "button", value: "q1:yes", inReplyTo },
    ]);
    expect(world.model.turns.all.length).toBe(turns);
  });

  test("is answered by a reply in text, and what is no reply goes to the agent", async () => {
    await world.ask("send", TELEGRAM, { text: "When shall they come?" });
    const message = await world.telegram.sent.first("the question", ({ text }) => text === "When shall they come?");
    const before = (await heardAnswers()).length;
    world.telegram.write(ANN_TELEGRAM, "At eight, please", message);
    await world.telegram.sent.first("what the reply led to", ({ text }) => text === "Noted: At eight, please");
    world.model.rule(({ userText }) => (userText.includes("my flight moved") ? { text: "Nine it is." } : undefined));
    world.telegram.write(ANN_TELEGRAM, "my flight moved to 9");
    await world.telegram.sent.first("the agent's word", ({ text }) => text === "Nine it is.");
    const inReplyTo = String(message.messageId);
    expect((await heardAnswers()).slice(before)).toEqual([
      { channel: "telegram", from: String(ANN_TELEGRAM), how: "text", value: "At eight, please", inReplyTo },
    ]);
    expect(world.model.turns.all.some(({ userText }) => userText.includes("At eight"))).toBe(false);
  });

  test("whose listener fails holds up nothing that its owner writes", async () => {
    await world.ask("send", TELEGRAM, { text: "Break?", buttons: [{ label: "Break it", value: "throw" }] });
    const message = await world.telegram.sent.first("the question", ({ text }) => text === "Break?");
    world.telegram.press(ANN_TELEGRAM, message, "Break it");
    await world.telegram.sent.first("a polite word", ({ text }) => text.includes("press again"));
    world.model.rule(({ userText }) => (userText.includes("still there") ? { text: "Still here." } : undefined));
    world.telegram.write(ANN_TELEGRAM, "still there");
    await world.telegram.sent.first("the agent's word", ({ text }) => text === "Still here.");
    expect((await heardAnswers()).filter(({ value }) => value === "throw")).toHaveLength(1);
  });

  test("with a button that would not fit is refused, not sent as bare text", async () => {
    const buttons = [{ label: "A", value: "x".repeat(41) }];
    const { error } = await world.ask("send", TELEGRAM, { text: "Too long", buttons });
    expect(error).toMatchObject({ name: "HostError" });
    expect(world.telegram.sent.all.some(({ text }) => text.includes("Too long"))).toBe(false);
  });
});

test("what Ann wrote is known by number: her other channels, and the last turns of her session", async () => {
  expect((await world.ask("linked", ANN)).value).toEqual([TELEGRAM]);
  const { value } = await world.ask("recentTurns", SESSION, 20);
  expect(value).toContainEqual({ role: "person", text: "my flight moved to 9", atMs: expect.any(Number) });
  expect(value).toContainEqual({ role: "agent", text: "Nine it is.", atMs: expect.any(Number) });
  expect(
    (await world.ask("recentTurns", { agentId: "main", sessionKey: "agent:main:direct:nobody" }, 5)).value,
  ).toEqual([]);
});

test("the host's text model writes what it is asked to", async () => {
  world.model.rule(({ system, userText }) =>
    system.includes("You sum up calls.") && userText.includes("Ann rang")
      ? { text: "Ann rang about her flight." }
      : undefined,
  );
  const request = { agentId: "main", purpose: "call summary", system: "You sum up calls.", prompt: "Ann rang. …" };
  const { value, error } = await world.ask("complete", request);
  expect(error).toBeUndefined();
  expect(value).toBe("Ann rang about her flight.");
});

describe("a turn that the agent takes itself", () => {
  test("is spoken sentence by sentence while it is still being written", async () => {
    const words = "It is sunny in Berlin. It will rain at six, take a coat. Shall I remind you?";
    world.model.rule(({ userText }) =>
      userText.includes("in Berlin today") ? { text: words, wordMs: 60 } : undefined,
    );
    const { error, words: heard } = await world.ask("ask", turn("How is it in Berlin today?"));
    expect(error).toBeUndefined();
    expect(heard.map(({ text }) => text)).toEqual([
      "It is sunny in Berlin.",
      "It will rain at six, take a coat.",
      "Shall I remind you?",
    ]);
    expect((heard.at(-1)?.atMs ?? 0) - (heard[0]?.atMs ?? 0)).toBeGreaterThan(300);
    const asked = world.model.turns.all.filter(({ userText }) => userText.includes("in Berlin today"));
    expect(asked).toHaveLength(1);
    expect(asked[0]?.system).toContain("live phone call");
    expect(asked[0]?.system).toContain(SECRET_OF_THE_OWNER);
    expect(asked[0]?.history.join("\n")).toContain("my flight moved to 9");
  });

  test("and that fails is a failure, of which no word is spoken", async () => {
    world.model.rule(({ userText }) =>
      userText.includes("break down") ? { refusal: "inner workings of the model" } : undefined,
    );
    const { error, words } = await world.ask("ask", turn("Please break down now."));
    expect(error).toMatchObject({ name: "HostError" });
    expect(words).toEqual([]);
  });

  test.each([
    ["half way", 2_000],
    ["before it has really begun", 80],
  ])("and that is given up %s is not spoken further, and the next one is taken", async (_, afterMs) => {
    const long = "One sheep. Two sheep. Three sheep. Four sheep. Five sheep. Six sheep. Seven sheep.";
    world.model.rule(({ userText }) => (userText.includes("count sheep") ? { text: long, wordMs: 300 } : undefined));
    const more = { turnId: `sheep-${afterMs}` };
    const { error, words } = await world.askWithin(afterMs, "ask", turn("Please count sheep.", more));
    expect(error).toMatchObject({ name: "TimeoutError" });
    expect(words.map(({ text }) => text)).not.toContain("Seven sheep.");
    world.model.rule(({ userText }) => (userText.includes("forget the sheep") ? { text: "Forgotten." } : undefined));
    const next = await world.ask("ask", turn("Now forget the sheep.", { turnId: `forgotten-${afterMs}` }));
    expect(next.error).toBeUndefined();
    expect(next.words.map(({ text }) => text)).toEqual(["Forgotten."]);
  });

  test("for somebody who only has the number knows neither files nor chats, and has no hands", async () => {
    const more = { trust: "known", callId: "call_2" };
    const { error, words } = await world.ask("ask", turn("What do you know of me?", more));
    expect(error).toBeUndefined();
    expect(words.map(({ text }) => text)).toEqual(["Understood."]);
    const asked = world.model.turns.all.find(({ userText }) => userText.includes("know of me"));
    expect(`${asked?.system}\n${asked?.history.join("\n")}`).not.toContain(SECRET_OF_THE_OWNER);
    expect(asked?.history.join("\n")).not.toContain("my flight moved");
    expect(asked?.tools).toEqual([]);
  });

  test("is a turn even when it sounds like a command of the chat", async () => {
    for (const text of ["Stop.", "/new", "/status"]) {
      const { error, words } = await world.ask("ask", turn(text, { callId: "call_3" }));
      expect([text, error, words.map((heard) => heard.text)]).toEqual([text, undefined, ["Understood."]]);
    }
  });
});

test("a verified owner's question may use tools, and what they are is told in neutral words", async () => {
  world.model.rule((asked) => {
    if (!asked.userText.includes("flower pot")) return undefined;
    if (asked.toolResults.length > 0) return { text: "The third one." };
    return callTool(asked, "read", { path: join(world.home.workspaceDir, "MEMORY.md") });
  });
  const question = { ...consultation("Which flower pot?"), trust: "owner", tools: "owner" };
  const { value, words } = await world.ask("consult", question);
  expect(value).toBe("The third one.");
  expect(words.map(({ text }) => text)).toEqual(["I am reading a file."]);
});

test("the agent is woken to look at a note, once", { timeout: 120_000 }, async () => {
  const note = { text: "Ann asked on the phone to be reminded of her flight.", key: "call_1" };
  const [first, second] = await Promise.all([world.ask("wake", SESSION, note), world.ask("wake", SESSION, note)]);
  expect([first.error, second.error]).toEqual([undefined, undefined]);
  const sees = ({ history }: { history: readonly string[] }) => history.join("\n").includes(note.text);
  await world.model.turns.first("the turn about the note", sees, 90_000);
  world.model.rule(({ userText }) => (userText.includes("anything else") ? { text: "Nothing else." } : undefined));
  world.telegram.write(ANN_TELEGRAM, "anything else?");
  await world.telegram.sent.first("the agent's word", ({ text }) => text === "Nothing else.");
  const about = world.model.turns.all.filter((turn) => sees(turn) && !turn.userText.includes("anything else"));
  expect(about).toHaveLength(1);
});

/** A question of the speech model for somebody who is known by number alone. */
function consultation(question: string) {
  const { sessionKey, agentId } = SESSION;
  return {
    callId: "call_9",
    agentId,
    sessionKey,
    accountId: "default",
    trust: "known",
    tools: "none",
    question,
    transcript: [],
  };
}
