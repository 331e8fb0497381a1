import { expect, test } from "vitest";
import { sleep } from "../../src/core/clock.ts";
import type { TranscriptEntry } from "../../src/core/transcript.ts";
import type { ChannelAddress, OutgoingMessage } from "../../src/hosts/host.ts";
import type { Line } from "../../src/testing/phone-network/index.ts";
import { type Mind, ruleMind } from "../../src/testing/speech-model/index.ts";
import { longestSilenceMs, toolRuns } from "./silence.ts";
import { bridges, type WaitingCall, waitOnTheLine } from "./waiting-caller.ts";
import { ANN, type EndedCall, OUR_NUMBER, worlds } from "./world.ts";

const world = worlds();
const ANSWER = "It will rain until the evening.";
const PROMISE = "That takes a little longer.";
const OPEN = "Until five.";
const CUE_MS = 1_500;
const SILENCE_MS = 2_000;
const TIMEOUT_MS = 20_000;
/** A recording is read in frames of 20 ms: one at each end. */
const FRAMES_MS = 40;
/** From an answer that is there to its first word: the model speaks once what bridges the waiting has been heard. */
const SPOKEN_WITHIN_MS = 3_500;

/** Asks without a word of its own; reads out what comes and promises what does not. What it is told to tell it tells. */
const mind: Mind = (turn) => {
  const output = turn.toolResult?.output ?? "";
  if (output.includes("asked for something else")) return [];
  if (output.includes("not there yet")) return [{ say: PROMISE }];
  return ruleMind([
    { when: /open/i, say: OPEN },
    { when: /.*about (\w+)/is, call: "ask_openclaw", args: (_, match) => ({ request: match?.[1] ?? "" }) },
    { when: "tool:ask_openclaw", say: output },
  ])(turn);
};

/** What stands in the transcript, in milliseconds since the answer. */
function turn({ journal }: EndedCall, text: string): TranscriptEntry {
  const entries = journal.flatMap(({ event }) => (event.type === "transcript.added" ? [event.entry] : []));
  return entries.find((entry) => entry.text === text) ?? expect.fail(`Nobody said "${text}".`);
}

/** The first sound after the question came as promised, and none of the waiting was silent for longer than promised. */
function expectBridged({ report, call }: WaitingCall): void {
  const askedMs = report.spoken[0]?.endMs ?? Number.NaN;
  const first = report.heardSegments.find(({ endMs }) => endMs > askedMs);
  expect((first?.startMs ?? Number.NaN) - askedMs).toBeLessThanOrEqual(CUE_MS + FRAMES_MS);
  expect(longestSilenceMs(report.wav, toolRuns(call.journal))).toBeLessThanOrEqual(SILENCE_MS + FRAMES_MS);
  expect(call.longestSilenceMs).toBeLessThanOrEqual(SILENCE_MS);
  expect(call.words.filter((line) => line.endsWith(" -"))).toEqual([]);
}

/** It was said so long after the question, and there is sound of it on the tape. */
function expectSaid({ report, call }: WaitingCall, text: string, afterMs: number): void {
  const { startMs, heardMs } = turn(call, text);
  const askedMs = report.spoken[0]?.endMs ?? Number.NaN;
  expect(startMs - askedMs).toBeGreaterThanOrEqual(afterMs);
  expect(startMs - askedMs).toBeLessThanOrEqual(afterMs + SPOKEN_WITHIN_MS);
  const middleMs = startMs + heardMs / 2;
  const sounds = report.heardSegments.some((heard) => heard.startMs < middleMs && heard.endMs > middleMs);
  expect(sounds, `"${text}" at ${startMs} ms is on the tape`).toBe(true);
}

test("cases 31 and 32: an agent that takes 0.1 s, 5 s, 30 s and for ever", async () => {
  const SECONDS = { Berlin: 0.1, Paris: 5, Rome: 30, Oslo: 30, London: Number.POSITIVE_INFINITY };
  const numbers = Object.keys(SECONDS).map((_, index) => `+1555000310${index}`);
  const texts: { address: ChannelAddress; message: OutgoingMessage }[] = [];
  const texted = Promise.withResolvers<void>();
  const ours = await world({
    speed: 5,
    mind,
    account: { allowFrom: numbers, consult: { timeoutSeconds: TIMEOUT_MS / 1_000 } },
    host: {
      consult: async ({ question }, signal) => {
        const seconds = SECONDS[question as keyof typeof SECONDS];
        if (seconds === Number.POSITIVE_INFINITY) return new Promise(() => {});
        await sleep(ours.clock, seconds * 1_000, signal);
        return ANSWER;
      },
      linked: ({ number }) => [{ channel: "telegram", to: number }],
      send: (address, message) => {
        texts.push({ address, message });
        texted.resolve();
        return {};
      },
    },
  });
  const ask = (city: keyof typeof SECONDS, asked?: (line: Line) => Promise<void>) =>
    waitOnTheLine(ours, {
      from: numbers[Object.keys(SECONDS).indexOf(city)] ?? ANN,
      question: `What about ${city}?`,
      ...(asked && { asked }),
    });
  const [berlin, paris, rome, oslo, london] = await Promise.all([
    ask("Berlin"),
    ask("Paris"),
    ask("Rome", async (line) => {
      await line.hearReply({ quietMs: SILENCE_MS + FRAMES_MS, timeoutMs: 40_000 });
      await line.say("When are you open?");
      await line.hearReply();
    }),
    ask("Oslo"),
    ask("London"),
  ]);
  for (const call of [berlin, paris, rome, oslo, london]) expectBridged(call);
  expectSaid(berlin, ANSWER, 100);
  expectSaid(paris, ANSWER, 5_000);

  // Rome's caller has gone on talking: the answer is a turn of its own.
  expectSaid(rome, PROMISE, TIMEOUT_MS);
  expectSaid(rome, ANSWER, 30_000);
  const romes = rome.call.words.filter((line) => [PROMISE, OPEN, ANSWER].some((text) => line === `agent: ${text}`));
  expect(romes).toEqual([PROMISE, OPEN, ANSWER].map((text) => `agent: ${text}`));
  expect(bridges(rome)).toBeGreaterThanOrEqual(2);

  // Oslo's has hung up: it is a text where they read, once.
  expectSaid(oslo, PROMISE, TIMEOUT_MS);
  expect(oslo.call.words).not.toContain(`agent: ${ANSWER}`);
  await texted.promise;
  expect(texts).toEqual([
    { address: { channel: "telegram", to: oslo.call.from }, message: { text: expect.stringContaining(ANSWER) } },
  ]);
  expect(texts[0]?.message.text).toContain('You asked on the phone: "Oslo"');

  expectSaid(london, PROMISE, TIMEOUT_MS);
  for (const { call } of [berlin, paris, rome, oslo, london]) expect(call.endReason).toBe("caller_hangup");
});

test("a newer question drops the older: its agent is stopped, and its answer is never said", async () => {
  const asked: string[] = [];
  const dropped: string[] = [];
  const ours = await world({
    speed: 4,
    mind,
    host: {
      consult: async ({ question }, signal) => {
        asked.push(question);
        signal.addEventListener("abort", () => dropped.push(question));
        await sleep(ours.clock, question === "Rome" ? 8_000 : 2_000, signal);
        return `${question} is sunny.`;
      },
    },
  });
  const ending = ours.nextEnd();
  const { promise: answered, resolve } = Promise.withResolvers<void>();
  ours.plugin.on("transcript", ({ text }) => text.endsWith("is sunny.") && resolve());
  const call = ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      await line.say("What about Rome?");
      await line.pause(3_000);
      await line.say("No, what about Oslo?");
      await Promise.race([answered, line.waitForEnd()]);
      await line.pause(4_000); // Rome would have been answered by then
    },
  });
  await call.ended;
  const { words } = await ending;
  expect(asked).toEqual(["Rome", "Oslo"]);
  expect(dropped).toEqual(["Rome"]);
  expect(words.filter((line) => line.includes("sunny"))).toEqual(["agent: Oslo is sunny."]);
});
