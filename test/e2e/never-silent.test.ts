import { describe, expect, test } from "vitest";
import type { Line } from "../../src/testing/phone-network/index.ts";
import type { Faults } from "../../src/testing/speech-model/faults.ts";
import { type Rule, ruleMind } from "../../src/testing/speech-model/index.ts";
import {
  APOLOGY,
  conversation,
  expectNeverSilent,
  QUESTION,
  type WaitingCall,
  waitOnTheLine,
} from "./waiting-caller.ts";
import { GREETING, types, type World, worlds } from "./world.ts";

const start = worlds();
const SPEED = 4; // the faster, the longer each hop takes by the clock of the call
const ANSWER = "It rains in Berlin, and it will go on raining until the evening.";
const RULES: Rule[] = [{ when: /weather/i, say: ANSWER }];
const mind = ruleMind(RULES);
const world = () => start({ mind, speed: SPEED });

const CONVERSATION = [`agent: ${GREETING}`, `caller: ${QUESTION}`, `agent: ${ANSWER}`];

function expectAnswered(result: WaitingCall): void {
  expectNeverSilent(result);
  expect(conversation(result)).toEqual(CONVERSATION);
  expect(result.call.endReason).toBe("caller_hangup");
}

/** The caller was told that it cannot go on, and the call was ended by us. */
function expectToldGoodbye(result: WaitingCall): void {
  expectNeverSilent(result);
  expect(result.call.words.at(-1)).toBe(APOLOGY);
  expect(result.call.words.filter((line) => line === APOLOGY)).toHaveLength(1);
  expect(result.call.endReason).toBe("engine_error");
}

/** The model is well until it has greeted. */
const fromTheTurnOn = (ours: World, faults: Faults) => ({
  greeted: () => void Object.assign(ours.model.faults, faults),
});

describe("a slow model", () => {
  test.each<[string, Faults]>([
    ["thinks for half a second", { thinkMs: 500 }],
    ["thinks for 3 s", { thinkMs: 3_000 }],
    ["thinks for 8 s", { thinkMs: 8_000 }],
    ["opens its session after 3 s", { openAfterMs: 3_000 }],
    ["begins what it was asked for after 3 s", { createdAfterMs: 3_000 }],
  ])("%s: the waiting is bridged, and its answer is heard", async (_, faults) => {
    const ours = await world();
    Object.assign(ours.model.faults, faults);
    expectAnswered(await waitOnTheLine(ours));
  });
});

const MUTE: [string, Faults][] = [
  ["begins an answer and gives no sound", { muteResponses: true }],
  ["stops in the middle of a sentence", { stallAfterMs: 700 }],
  ["says nothing at all", { dead: true }],
];

describe("a model that says no more", () => {
  test.each(MUTE)("at the greeting, %s: the caller is told", async (_, faults) => {
    const ours = await world();
    const opened = ours.model.nextSession().then(async (session) => {
      await session.untilSent(({ type }) => type === "session.updated");
      Object.assign(ours.model.faults, faults);
    });
    const result = await waitOnTheLine(ours);
    await opened;
    expectToldGoodbye(result);
  });

  test.each(MUTE)("in a later turn, %s: the caller is told", async (_, faults) => {
    const ours = await world();
    expectToldGoodbye(await waitOnTheLine(ours, fromTheTurnOn(ours, faults)));
  });
});

describe("a model that takes the turns itself, and says no more", () => {
  test.each(MUTE)("in a later turn, %s: the caller is told", async (_, faults) => {
    const ours = await start({ mind, speed: SPEED, account: { turns: "server" } });
    expectToldGoodbye(await waitOnTheLine(ours, fromTheTurnOn(ours, faults)));
  });
});

describe("a model that is lost", () => {
  const REST = "And so it will be tomorrow.";
  const cut = (ours: World) => ({
    asked: async (line: Line) => {
      await line.waitForSpeech();
      await line.pause(300); // it gives its sound five times as fast as it plays
      ours.model.sessions.at(-1)?.end("the connection broke");
    },
  });

  test("in the middle of an answer: a new session says the rest", async () => {
    const ours = await start({ speed: SPEED, mind: ruleMind([...RULES, { when: "otherwise", say: REST }]) });
    ours.model.faults.openAfterMs = 2_500;
    const result = await waitOnTheLine(ours, cut(ours));
    expectNeverSilent(result);
    expect(ours.model.sessions).toHaveLength(2);
    const [, , begun = "", rest, ...more] = conversation(result);
    expect(`agent: ${ANSWER}`.startsWith(begun) && begun.length < ANSWER.length).toBe(true);
    expect([rest, ...more]).toEqual([`agent: ${REST}`]);
    expect(result.call.endReason).toBe("caller_hangup");
  });

  test("for good: the caller is told", async () => {
    const ours = await world();
    const { asked } = cut(ours);
    const result = await waitOnTheLine(ours, {
      asked: async (line) => {
        ours.model.faults.refuseUpgrade = { status: 503 };
        await asked(line);
      },
    });
    expectToldGoodbye(result);
  });
});

describe("a model that refuses", () => {
  test("one answer, for its rate limit: it is asked again", async () => {
    const ours = await world();
    let refused: Promise<unknown> | undefined;
    const result = await waitOnTheLine(ours, {
      greeted: () => {
        ours.model.faults.failResponses = { code: "rate_limit_exceeded" };
        const session = ours.model.sessions[0];
        refused = session
          ?.untilSent(({ type }) => type === "response.done", session.sent.length)
          .then(() => delete ours.model.faults.failResponses);
      },
    });
    await refused;
    expectAnswered(result);
    expect(result.call.journal.map(({ event }) => event)).toContainEqual(
      expect.objectContaining({ type: "response.ended", status: "failed" }),
    );
  });

  test.each(["rate_limit_exceeded", "insufficient_quota"])("every answer, for %s: the caller is told", async (code) => {
    const ours = await world();
    expectToldGoodbye(await waitOnTheLine(ours, fromTheTurnOn(ours, { failResponses: { code } })));
  });

  test("to write down what was said: it is answered all the same", async () => {
    const ours = await world();
    const result = await waitOnTheLine(ours, fromTheTurnOn(ours, { failTranscriptions: true }));
    expectNeverSilent(result);
    expect(conversation(result)).toEqual([CONVERSATION[0], CONVERSATION[2]]);
    expect(types(result.call)).toContain("fault.noted");
  });
});
