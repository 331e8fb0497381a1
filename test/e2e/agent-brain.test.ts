import { expect, test } from "vitest";
import { sleep } from "../../src/core/clock.ts";
import type { TurnRequest } from "../../src/hosts/host.ts";
import type { PersonScript } from "../../src/testing/phone-network/index.ts";
import { type Mind, ruleMind } from "../../src/testing/speech-model/index.ts";
import { expectNeverSilent, waitOnTheLine } from "./waiting-caller.ts";
import { ANN, GREETING, OUR_NUMBER, types, type World, worlds } from "./world.ts";

const world = worlds();
const SORRY = "I am sorry, I could not get an answer.";
const LONG = "We have apples, pears, plums, cherries, grapes, lemons, melons, oranges and a great many more.";
const REST = "And on Fridays there is fish.";

/** A voice without a mind: it excuses the agent when it is told to, and whatever else it says is its own fault. */
const mind: Mind = (turn) =>
  turn.responseInstructions?.includes("could not get an answer")
    ? [{ say: SORRY }]
    : ruleMind([{ when: "otherwise", say: "The voice has thought of something itself." }])(turn);

type Ask = (turn: TurnRequest, onWords: (words: string) => void, signal: AbortSignal) => void | Promise<void>;

/** An account whose agent takes the turns, and each turn that reached it. */
async function open(ask: Ask, speed = 4) {
  const turns: TurnRequest[] = [];
  const ours = await world({
    mind,
    speed,
    account: { brain: "agent" },
    host: {
      ask: (turn, onWords, signal) => {
        turns.push(turn);
        return ask(turn, onWords, signal);
      },
    },
  });
  return { ours, turns };
}

async function ring(ours: World, script: PersonScript) {
  const ending = ours.nextEnd();
  const report = await ours.phones.ring({ from: ANN, to: OUR_NUMBER, script }).ended;
  return { report, call: await ending };
}

test("each turn reaches the agent once, with its words, and its reply is spoken sentence by sentence", async () => {
  const { ours, turns } = await open(async ({ text }, onWords) => {
    if (/weather/.test(text)) {
      const heard = new Promise<void>((resolve) => {
        ours.plugin.on("transcript", (entry) => entry.text === "It is sunny." && resolve());
      });
      onWords("It is sunny.");
      await heard; // it is spoken while the agent goes on
      onWords("Take a hat.");
    } else onWords("Goodbye, then.");
  });
  const { call } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say("How is the weather?");
    await line.hearReply({ quietMs: 1_500 });
    await line.say("That was all, thank you.");
    await line.hearReply();
  });
  expect(turns.map(({ text }) => text)).toEqual(["How is the weather?", "That was all, thank you."]);
  expect(new Set(turns.map(({ turnId }) => turnId)).size).toBe(2);
  expect(turns[0]).toMatchObject({
    callId: call.callId,
    sessionKey: `voice:default:${ANN}`,
    number: ANN,
    trust: "known",
  });
  expect(call.words).toEqual([
    `agent: ${GREETING}`,
    "caller: How is the weather?",
    "agent: It is sunny.",
    "agent: Take a hat.",
    "caller: That was all, thank you.",
    "agent: Goodbye, then.",
  ]);
  expect(types(call)).not.toContain("tool.called");
});

test("a caller who speaks over the reply: the rest is not said, the agent is stopped, and the new turn is taken", async () => {
  const stopped: string[] = [];
  const { ours, turns } = await open(async ({ text }, onWords, signal) => {
    if (/stop/i.test(text)) return onWords("All right.");
    signal.addEventListener("abort", () => stopped.push(text));
    onWords(LONG);
    onWords("There is more.");
    await sleep(ours.clock, 20_000, signal);
    onWords(REST);
  });
  const { report, call } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say("What fruit do you have?");
    await line.waitForSpeech();
    await line.pause(1_500);
    await line.say("Stop, please.");
    await line.hearReply({ quietMs: 3_000 });
  });
  expect(stopped).toEqual(["What fruit do you have?"]);
  expect(turns.map(({ text }) => text)).toEqual(["What fruit do you have?", "Stop, please."]);
  expect(report.streamEvents.clears).toBeGreaterThan(0);
  expect(call.words).toEqual([
    `agent: ${GREETING}`,
    "caller: What fruit do you have?",
    expect.stringMatching(/^agent: We have .* -$/),
    "caller: Stop, please.",
    "agent: All right.",
  ]);
});

test("an agent that fails: the caller hears an excuse, and nothing of the error is read aloud or told to the voice", async () => {
  const SECRET = "429 rate limit for key sk-live-abc";
  let failures = 0;
  const { ours, turns } = await open((_, onWords) => {
    failures += 1;
    if (failures === 1) throw new Error(SECRET);
    if (failures === 2) return; // it says nothing at all
    onWords("It is sunny.");
  });
  const { call } = await ring(ours, async (line) => {
    await line.hearReply();
    for (const words of ["How is the weather?", "How is it now?", "And now?"]) {
      await line.say(words);
      await line.hearReply({ quietMs: 1_200 });
    }
  });
  expect(turns).toHaveLength(3);
  expect(call.words.filter((line) => line.startsWith("agent: "))).toEqual([
    `agent: ${GREETING}`,
    `agent: ${SORRY}`,
    `agent: ${SORRY}`,
    "agent: It is sunny.",
  ]);
  const wire = JSON.stringify(ours.model.sessions.map(({ received }) => received));
  for (const words of ["429", "sk-live", "rate limit"]) {
    expect(wire).not.toContain(words);
    expect(JSON.stringify(call.journal)).not.toContain(words);
  }
});

test("an agent that thinks for 4 s: the waiting is bridged, and its answer is heard", async () => {
  const SPEED = 4;
  const { ours } = await open(async (_, onWords, signal) => {
    await sleep(ours.clock, 4_000, signal);
    onWords("It is sunny.");
  }, SPEED);
  const result = await waitOnTheLine(ours, SPEED);
  expectNeverSilent(result);
  expect(result.call.words.at(-1)).toBe("agent: It is sunny.");
  const askedMs = result.report.spoken[0]?.endMs ?? Number.NaN;
  const bridges = result.report.heardSegments.filter(({ startMs }) => startMs > askedMs && startMs < askedMs + 4_000);
  expect(bridges.length).toBeGreaterThanOrEqual(1);
});
