import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import type { CallerProfile } from "../../src/calls/callers.ts";
import type { Line } from "../../src/testing/phone-network/index.ts";
import type { ModelSession, Rule } from "../../src/testing/speech-model/index.ts";
import { ANN_PHONE, ANN_TELEGRAM } from "./harness/config.ts";
import type { BotMessage } from "./harness/stand-in-telegram.ts";
import type { StreamedEntry } from "./harness/voice-api.ts";
import { type HostWorld, MAIN_NUMBER, newestCall, SECOND_NUMBER, STRANGER_PHONE } from "./harness/world.ts";

const FLIGHT = "my flight moved to 9";
const SEAT = "I prefer the window";
const MEAL = "I want no meal on board";
const SUMMARY = "Ann wants her wish about the flight kept.";

/** What the speech model does on the calls of this story: it obeys, and a code that was said is handed on as heard. */
export const storyRules: readonly Rule[] = [
  { when: /I am the owner/i, call: "send_owner_code" },
  { when: "tool:send_owner_code", say: "What is the code?" },
  { when: /the code is/i, call: "check_owner_code", args: ({ heard }) => ({ code: heard }) },
  { when: /remember that (.+?)[.]?$/i, call: "remember_this", args: (_, match) => ({ text: match?.[1] }) },
  {
    when: /parcel/i,
    say: "One moment, I am asking.",
    call: "ask_owner",
    args: { question: "May the parcel be left at the door?", options: ["Yes", "No"] },
  },
  { when: "tool:ask_owner", say: ({ toolResult }) => `The owner says: ${toolResult?.output}.` },
];

/** Ann is one person in chat and on the phone, and a stranger on the phone reaches her. */
export function tellAnnsStory(world: () => HostWorld): void {
  describe("Ann", () => {
    let callId = "";

    test("is the owner on the phone once a code from her chat says so, and what she wrote there is known", {
      timeout: 60_000,
    }, async () => {
      world().model.rule(({ userText }) => (userText.includes(FLIGHT) ? { text: "Nine it is." } : undefined));
      world().model.rule(summary(SEAT));
      world().telegram.write(ANN_TELEGRAM, FLIGHT);
      await world().telegram.sent.first("the agent's word", ({ text }) => text === "Nine it is.");

      const call = world().phones.ring({
        from: ANN_PHONE,
        to: MAIN_NUMBER,
        script: async (line) => {
          await line.hearReply();
          ({ callId } = await newestCall(world()));
          const code = await askForCode(world(), line, callId);
          expect(told(session(world()))).not.toContain(FLIGHT);
          await line.say(`The code is ${spoken(code)}.`);
          await session(world()).untilReceived((event) => toldBy(event).includes(FLIGHT));
          await agentSays(world(), callId, "The code is right");
          await line.waitForQuiet();
          await line.say(`Please remember that ${SEAT}.`);
          await agentSays(world(), callId, "It is remembered");
        },
      });
      await call.ended;
      expect(session(world()).received.filter((event) => toldBy(event).includes(FLIGHT))).toHaveLength(1);
      const types = (await journalOf(world(), callId)).map(({ event }) => event.type);
      expect(types.filter((type) => /^(code|trust|context)\./.test(type))).toEqual([
        "code.sent",
        "code.tried",
        "trust.raised",
        "context.refreshed",
      ]);
    });

    test("finds what she said on the phone in daily file, history, session and card, once each", async () => {
      await isOver(world(), callId);
      await expectOnceEverywhere(world(), callId, SEAT);
    });

    test("is rung once by her card's button, however often it is pressed", { timeout: 60_000 }, async () => {
      const { telegram, phones } = world();
      phones.addPerson(ANN_PHONE, { script: (line) => line.hearReply() });
      const [card] = cardsWith(world(), SEAT);
      if (!card) throw new Error("there is no card");
      for (const press of [1, 2]) {
        telegram.press(ANN_TELEGRAM, card, "Call back");
        await replies(world(), "I will ring them now.", press);
      }
      const rung = await phones.nextCall(({ to }) => to === ANN_PHONE);
      expect((await rung.ended).status).toBe("completed");
      const { callId: backId, direction } = await newestCall(world());
      expect(direction).toBe("outbound");
      await isOver(world(), backId);
      telegram.press(ANN_TELEGRAM, card, "Call back");
      await replies(world(), "I will ring them now.", 3);
    });

    test("answers a stranger's question by a button while the stranger holds the line", {
      timeout: 60_000,
    }, async () => {
      const { telegram, phones } = world();
      const call = phones.ring({
        from: STRANGER_PHONE,
        to: SECOND_NUMBER,
        script: async (line) => {
          await line.hearReply();
          const { callId: strangersId } = await newestCall(world());
          await line.say("May I leave the parcel?");
          const question = await telegram.sent.first("the question", ({ text }) => text.includes("the parcel be left"));
          expect(question).toMatchObject({
            chatId: String(ANN_TELEGRAM),
            text: expect.stringContaining(STRANGER_PHONE),
          });
          expect(question.text).toContain("a number that is not known");
          await agentSays(world(), strangersId, "One moment, I am asking.");
          telegram.press(ANN_TELEGRAM, question, "Yes");
          await agentSays(world(), strangersId, "The owner says: Yes.");
          telegram.press(ANN_TELEGRAM, question, "No");
          await telegram.sent.first("a word about the second press", ({ text }) => text === "That has been answered.");
        },
      });
      await call.ended;
      const { callId: strangersId } = await newestCall(world());
      const answers = (await journalOf(world(), strangersId)).filter(({ event }) => event.type === "owner.answered");
      expect(answers).toMatchObject([{ event: { by: "button", answer: "Yes" } }]);
      expect(told(session(world()))).not.toMatch(new RegExp(`${FLIGHT}|${SEAT}`));
      expect(
        phones.calls.filter(({ to }) => to === ANN_PHONE),
        "calls to Ann",
      ).toHaveLength(1);
    });
  });
}

/** The last chapter: the process dies when Ann has hung up, before it is done with her call. */
export function tellOfTheKill(world: () => HostWorld): void {
  test("Ann's call is finished by the next process, each step once, when this one is killed after it", {
    timeout: 180_000,
  }, async () => {
    const { model, phones } = world();
    const answer = summary(MEAL);
    let killed: Promise<void> | undefined;
    model.rule((turn) => {
      const record = answer(turn);
      if (record) killed ??= world().gateway.kill();
      return record;
    });
    let callId = "";
    const call = phones.ring({
      from: ANN_PHONE,
      to: MAIN_NUMBER,
      script: async (line) => {
        await line.hearReply();
        ({ callId } = await newestCall(world()));
        await line.press(await askForCode(world(), line, callId));
        await session(world()).untilReceived(
          (event) => timesIn(toldBy(event), `verified, said on .*: "${SEAT}"`) === 1,
        );
        await world().api.entry(callId, "context.refreshed");
        await line.waitForQuiet();
        await line.say(`Please remember that ${MEAL}.`);
        await agentSays(world(), callId, "It is remembered");
      },
    });
    await call.ended;
    await model.turns.first("the question what the call came to", (turn) => answer(turn) !== undefined);
    await killed;
    expect(cardsWith(world(), MEAL)).toEqual([]);
    await world().restart();
    await world().telegram.sent.first("the card", ({ text }) => isCardWith(text, MEAL));
    await isOver(world(), callId);
    await expectOnceEverywhere(world(), callId, MEAL);
    const journal = await journalOf(world(), callId);
    expect(journal.map(({ seq }) => seq)).toEqual(journal.map((_, index) => index + 1));
    const steps = journal.flatMap(({ event }) => (event.type === "afterwards.done" ? [event["step"]] : []));
    expect(steps).toEqual(["outcome", "history", "card", "notice", "wake"]);
    const kept = journal.map(({ event }) => event.type).filter((type) => /^(session|memory)\./.test(type));
    expect(kept).toEqual(["session.recorded", "memory.written"]);
  });
}

// --- Internal helpers ---

const DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const spoken = (code: string) => [...code].map((digit) => DIGITS[Number(digit)]).join(" ");

/** The text model's record of a call on which `words` were said. */
function summary(words: string) {
  const record = { summary: SUMMARY, outcome: "Her wish is kept.", commitments: [], needsAction: false };
  return ({ system, userText }: { readonly system: string; readonly userText: string }) =>
    system.includes("record of a telephone call") && userText.includes(words)
      ? { text: JSON.stringify(record) }
      : undefined;
}

/** The latest session of the speech model. */
function session(world: HostWorld): ModelSession {
  const latest = world.speech.sessions.at(-1);
  if (!latest) throw new Error("there is no session yet");
  return latest;
}

type Received = ModelSession["received"][number];

/** The instructions in an event that a session received; "" when there are none. */
function toldBy(event: Received): string {
  const { instructions } = (event["session"] ?? {}) as { readonly instructions?: string };
  return event.type === "session.update" ? (instructions ?? "") : "";
}

/** All instructions that a session received. */
const told = ({ received }: ModelSession): string => received.map(toldBy).join("\n");

/** Ann says who she is; resolves with the code that comes to her chat, when the agent has asked for it. */
async function askForCode(world: HostWorld, line: Line, callId: string): Promise<string> {
  const before = world.telegram.sent.all.length;
  await line.say("I am the owner.");
  const isNew = (message: BotMessage) => world.telegram.sent.all.indexOf(message) >= before;
  const codeIn = ({ text }: BotMessage) => /your code is ([0-9]{6})/.exec(text)?.[1];
  const message = await world.telegram.sent.first("a code", (one) => isNew(one) && codeIn(one) !== undefined);
  expect(message.chatId).toBe(String(ANN_TELEGRAM));
  await agentSays(world, callId, "What is the code?");
  await line.waitForQuiet();
  return codeIn(message) ?? "";
}

/** Resolves when the agent's words have been heard. */
async function agentSays(world: HostWorld, callId: string, words: string): Promise<void> {
  await world.api.entry(callId, "transcript.added", ({ entry }) => {
    const { speaker, text } = entry as { readonly speaker: string; readonly text: string };
    return speaker === "agent" && text.includes(words);
  });
}

/** Resolves when everything that follows a call is done. */
async function isOver(world: HostWorld, callId: string): Promise<void> {
  await world.api.entry(callId, "afterwards.done", ({ step }) => step === "wake");
}

async function journalOf(world: HostWorld, callId: string): Promise<readonly StreamedEntry[]> {
  await isOver(world, callId);
  const entries: StreamedEntry[] = [];
  for await (const entry of world.api.follow(callId, AbortSignal.timeout(10_000))) entries.push(entry);
  return entries;
}

/** Waits until the bot has said `words` so many times. */
async function replies(world: HostWorld, words: string, times: number): Promise<void> {
  const said = () => world.telegram.sent.all.filter(({ text }) => text === words).length;
  await world.telegram.sent.first(`"${words}", ${times} times`, () => said() >= times);
}

const isCardWith = (text: string, fact: string) =>
  text.includes("Phone call from") && text.includes(`To remember: "${fact}"`);
const cardsWith = (world: HostWorld, fact: string) =>
  world.telegram.sent.all.filter(({ text }) => isCardWith(text, fact));

/** What the owner wanted remembered stands once in the daily file, in her history, in her session and on her card. */
async function expectOnceEverywhere(world: HostWorld, callId: string, fact: string): Promise<void> {
  const dailyFiles = await dailyFilesOf(world);
  expect(timesIn(dailyFiles, `<!-- voice:${callId} -->`), "notes").toBe(1);
  expect(timesIn(dailyFiles, `To be remembered, said by the owner: "${fact}"`), "facts noted").toBe(1);
  expect(timesIn(dailyFiles, `> Caller .*remember that ${fact}`), "turns noted").toBe(1);

  const { facts, lastCalls } = historyOf(world);
  expect(facts.filter(({ text }) => text === fact)).toEqual([expect.objectContaining({ callId, verified: true })]);
  expect(lastCalls.filter((past) => past.callId === callId)).toEqual([expect.objectContaining({ summary: SUMMARY })]);

  const question = `What did I say of it, ${callId}?`;
  world.telegram.write(ANN_TELEGRAM, question);
  const { history } = await world.model.turns.first("Ann's turn", ({ userText }) => userText.includes(question));
  // The host shows the model what it has sent lately, and so the card, beside the session's rows.
  const rows = history.filter((row) => !row.includes("OPENCLAW_INTERNAL_CONTEXT"));
  expect(rows.filter((row) => row.includes(`remember that ${fact}`))).toEqual([expect.stringMatching(/^user: /)]);

  const cards = cardsWith(world, fact);
  expect(cards.map(({ chatId }) => chatId)).toEqual([String(ANN_TELEGRAM)]);
  expect(cards[0]?.text).toContain(`ann (${ANN_PHONE}), verified`);
  expect(cards[0]?.text).toContain(SUMMARY);
}

async function dailyFilesOf({ home }: HostWorld): Promise<string> {
  const folder = join(home.workspaceDir, "memory");
  const names = (await readdir(folder)).filter((name) => /^\d{4}-\d\d-\d\d\.md$/.test(name));
  return (await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")))).join("\n");
}

/** What the store keeps of Ann, as it stands on disk. */
function historyOf({ home }: HostWorld): CallerProfile {
  const database = new DatabaseSync(join(home.stateDir, "plugins", "voice", "calls.sqlite"), { readOnly: true });
  try {
    const rows = database.prepare("SELECT body FROM documents WHERE kind LIKE '%caller%' AND key LIKE ?");
    const found = rows.all(`%default:${ANN_PHONE}%`) as { readonly body: string }[];
    expect(found).toHaveLength(1);
    return JSON.parse(found[0]?.body ?? "") as CallerProfile;
  } finally {
    database.close();
  }
}

const timesIn = (text: string, pattern: string): number => [...text.matchAll(new RegExp(pattern, "g"))].length;
