import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { sleep } from "../../src/core/clock.ts";
import { type Rule, ruleMind } from "../../src/testing/speech-model/index.ts";
import { fillableStore, holdExclusively } from "./stalled-store.ts";
import { bridges, conversation, expectNeverSilent, QUESTION, waitOnTheLine } from "./waiting-caller.ts";
import { GREETING, types, worlds } from "./world.ts";

const world = worlds();
const FILLER = "Let me look.";
const ANSWER = "It will rain until the evening.";
const SORRY = "I could not find that out.";

/** Asks the agent about whatever the caller names. */
const looksUp = (subject: string): Rule => ({
  when: new RegExp(subject, "i"),
  say: FILLER,
  call: "ask_openclaw",
  args: { request: subject },
});
const tellsResult: Rule = {
  when: "tool:ask_openclaw",
  say: ({ toolResult }) => (toolResult?.output.startsWith("{") ? SORRY : (toolResult?.output ?? "")),
};

describe("case 31: a consult", () => {
  /** Whom the callers ask about, how long it takes to find out, and what becomes of it. */
  interface Consult {
    readonly city: string;
    readonly seconds: number;
    readonly answer: string;
    /** Phrases beside the model's own filler and the cues, at least. */
    readonly bridges: number;
  }
  const SHORT: Consult[] = [
    { city: "Berlin", seconds: 0.1, answer: ANSWER, bridges: 0 },
    { city: "Paris", seconds: 1, answer: ANSWER, bridges: 0 },
    { city: "Rome", seconds: 3, answer: ANSWER, bridges: 0 },
    { city: "Dublin", seconds: 0.5, answer: SORRY, bridges: 0 },
  ];
  const LONG: Consult[] = [
    { city: "Oslo", seconds: 12, answer: ANSWER, bridges: 2 }, // at 10 the second would fall together with the answer
    { city: "Vienna", seconds: 30, answer: ANSWER, bridges: 4 },
    { city: "Madrid", seconds: 50, answer: ANSWER, bridges: 6 },
  ];

  test.each([
    ["of 0.1, 1 and 3 s, and one that fails", SHORT],
    ["of 12, 30 and 50 s, where the account allows so long", LONG],
  ])("%s: whoever waits always hears so", async (_, consults) => {
    const numberOf = (city: string) => `+1555000300${consults.findIndex((consult) => consult.city === city)}`;
    const ours = await world({
      speed: 3,
      mind: ruleMind([...consults.map(({ city }) => looksUp(city)), tellsResult]),
      account: { allowFrom: consults.map(({ city }) => numberOf(city)), consult: { timeoutSeconds: 120 } },
      host: {
        consult: async ({ question }, signal) => {
          const { seconds = 0, answer } = consults.find(({ city }) => city === question) ?? {};
          await sleep(ours.clock, seconds * 1_000, signal);
          if (answer === SORRY) throw new Error("The assistant is not well.");
          return ANSWER;
        },
      },
    });
    const calls = consults.map(async (consult) => {
      const question = `What about ${consult.city}?`;
      const result = await waitOnTheLine(ours, { from: numberOf(consult.city), question });
      return { ...consult, question, result };
    });
    for (const { question, answer, bridges: least, result } of await Promise.all(calls)) {
      expectNeverSilent(result);
      const words = [GREETING, question, FILLER, answer];
      expect(conversation(result)).toEqual(words.map((text) => `${text === question ? "caller" : "agent"}: ${text}`));
      expect(bridges(result)).toBeGreaterThanOrEqual(least);
      expect(result.call.endReason).toBe("caller_hangup");
    }
  });
});

describe("the store, while a tool is called,", () => {
  const weather = ruleMind([looksUp("weather"), tellsResult]);

  test("is held by another process for 10 s: the caller is answered meanwhile, and all of it is stored", async () => {
    // The lock, and how long SQLite waits for it, go by the machine's clock.
    const ours = await world({
      speed: 1,
      mind: weather,
      settings: { store: "sqlite" },
      host: { consult: () => ANSWER },
    });
    let released: Promise<void> | undefined;
    const result = await waitOnTheLine(ours, {
      greeted: async () => {
        ({ released } = await holdExclusively(join(ours.stateDir, "calls.sqlite"), 10_000));
      },
    });
    await released;
    expectSorryAndStored(result);
  });

  test("is full, and has room again when the call is over: the caller is answered, and all of it is stored", async () => {
    const folder = await mkdtemp(join(tmpdir(), "voice-full-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const full = fillableStore(join(folder, "calls.sqlite"));
    const ours = await world({ speed: 4, mind: weather, store: full.store, host: { consult: () => ANSWER } });
    const result = await waitOnTheLine(ours, { greeted: full.fill, hungUp: full.free });
    expect(full.refusals).toBeGreaterThan(0);
    expectSorryAndStored(result);
  });
});

// --- Internal helpers ---

/** A tool does not run before it is written down that it does: the model is told so, and says it. */
function expectSorryAndStored(result: Awaited<ReturnType<typeof waitOnTheLine>>): void {
  expectNeverSilent(result);
  expect(conversation(result)).toEqual([
    `agent: ${GREETING}`,
    `caller: ${QUESTION}`,
    `agent: ${FILLER}`,
    `agent: ${SORRY}`,
  ]);
  expect(result.call.endReason).toBe("caller_hangup");
  expect(types(result.call)).toContain("call.ended");
}
