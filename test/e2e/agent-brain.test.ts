import { expect, test } from "vitest";
import { CLIP_TEXTS } from "../../src/calls/clips.ts";
import { sleep } from "../../src/core/clock.ts";
import type { TurnRequest } from "../../src/hosts/host.ts";
import type { Line, PersonScript } from "../../src/testing/phone-network/index.ts";
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
async function open(ask: Ask, speed = 6) {
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
  const call = await ending;
  const bridges: string[] = Object.values(CLIP_TEXTS).map((text) => `agent: ${text}`);
  // On a machine that is held up a wait may be long enough to be bridged: that is no turn.
  return { report, call, words: call.words.filter((line) => !bridges.includes(line)) };
}

/** Resolves when the agent's next turn with these words has been heard; sounds that bridge a wait are none. */
function said(ours: World, text: string): Promise<void> {
  return new Promise((resolve) => {
    const look = (entry: { readonly speaker: string; readonly text: string }) => {
      if (entry.speaker !== "agent" || entry.text !== text) return;
      ours.plugin.off("transcript", look);
      resolve();
    };
    ours.plugin.on("transcript", look);
  });
}

/** Says something, and goes on once that was answered with these words. */
async function ask(ours: World, line: Line, text: string, answer: string): Promise<void> {
  const answered = said(ours, answer);
  await line.say(text);
  await Promise.race([answered, line.waitForEnd()]);
}

test("each turn reaches the agent once, with its words, and its reply is spoken sentence by sentence", async () => {
  const { ours, turns } = await open(async ({ text }, onWords) => {
    if (/weather/.test(text)) {
      const heard = said(ours, "It is sunny.");
      onWords("It is sunny.");
      await heard; // it is spoken while the agent goes on
      onWords("Take a hat.");
    } else onWords("Goodbye, then.");
  });
  const { call, words } = await ring(ours, async (line) => {
    await line.hearReply();
    await ask(ours, line, "How is the weather?", "Take a hat.");
    await ask(ours, line, "That was all, thank you.", "Goodbye, then.");
  });
  expect(turns.map(({ text }) => text)).toEqual(["How is the weather?", "That was all, thank you."]);
  expect(new Set(turns.map(({ turnId }) => turnId)).size).toBe(2);
  expect(turns[0]).toMatchObject({
    callId: call.callId,
    sessionKey: `voice:default:${ANN}`,
    number: ANN,
    trust: "known",
  });
  expect(words).toEqual([
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
  const { report, words } = await ring(ours, async (line) => {
    await line.hearReply();
    await line.say("What fruit do you have?");
    await ours.model.sessions[0]?.untilSent("response.output_audio.delta", ours.model.sessions[0].sent.length);
    await line.pause(1_500);
    await ask(ours, line, "Stop, please.", "All right.");
    await line.pause(3_000); // what was left would be said now
  });
  expect(stopped).toEqual(["What fruit do you have?"]);
  expect(turns.map(({ text }) => text)).toEqual(["What fruit do you have?", "Stop, please."]);
  expect(report.streamEvents.clears).toBeGreaterThan(0);
  expect(words).toEqual([
    `agent: ${GREETING}`,
    "caller: What fruit do you have?",
    expect.stringMatching(/^agent: We have .* -$/),
    "caller: Stop, please.",
    "agent: All right.",
  ]);
});

test("an agent that fails: the caller hears an excuse, and nothing of the error is read aloud or told to the voice", async () => {
  const SECRET = "Rate limit: rate limit for key sk-live-abc";
  let failures = 0;
  const { ours, turns } = await open((_, onWords) => {
    failures += 1;
    if (failures === 1) throw new Error(SECRET);
    if (failures === 2) return; // it says nothing at all
    onWords("It is sunny.");
  });
  const { call, words } = await ring(ours, async (line) => {
    await line.hearReply();
    await ask(ours, line, "How is the weather?", SORRY);
    await ask(ours, line, "How is it now?", SORRY);
    await ask(ours, line, "And now?", "It is sunny.");
  });
  expect(turns).toHaveLength(3);
  expect(words.filter((line) => line.startsWith("agent: "))).toEqual([
    `agent: ${GREETING}`,
    `agent: ${SORRY}`,
    `agent: ${SORRY}`,
    "agent: It is sunny.",
  ]);
  const wire = JSON.stringify(ours.model.sessions.map(({ received }) => received));
  for (const part of ["sk-live", "rate limit"]) {
    expect(wire).not.toContain(part);
    expect(JSON.stringify(call.journal)).not.toContain(part);
  }
});

test("an agent that thinks for 4 s: the waiting is bridged, and its answer is heard", async () => {
  const { ours } = await open(async (_, onWords, signal) => {
    await sleep(ours.clock, 4_000, signal);
    onWords("It is sunny.");
  }, 4);
  const result = await waitOnTheLine(ours);
  expectNeverSilent(result);
  expect(result.call.words.at(-1)).toBe("agent: It is sunny.");
  const askedMs = result.report.spoken[0]?.endMs ?? Number.NaN;
  const bridges = result.report.heardSegments.filter(({ startMs }) => startMs > askedMs && startMs < askedMs + 4_000);
  expect(bridges.length).toBeGreaterThanOrEqual(1);
});
