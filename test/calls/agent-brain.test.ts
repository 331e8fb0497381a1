import { expect, test } from "vitest";
import { AgentBrain, type AskAgent } from "../../src/calls/agent-brain.ts";
import type { ResponseOrder } from "../../src/engines/engine.ts";
import { handClock } from "./clock.ts";

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** A brain whose agent is `ask`, and what it does with the call. */
function brainWith(ask: AskAgent) {
  const clock = handClock();
  const said: ResponseOrder[] = [];
  const waits: string[] = [];
  const waiting = {
    answerDue: () => void waits.push("answer"),
    toolStarted: () => void waits.push("thinks"),
    toolFinished: () => void waits.push("ready"),
  };
  const respond = (order: ResponseOrder) => void said.push(order);
  const brain = new AgentBrain({ ask, clock, logger: quiet, respond, waiting, callId: "call_1" });
  return { brain, clock, said, waits };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test("a turn is told once its words are there, and the reply is spoken as it comes", async () => {
  const told: string[] = [];
  const { brain, said, waits } = brainWith(async ({ turnId, text }, onWords) => {
    told.push(`${turnId} ${text}`);
    onWords("It is sunny.");
    onWords("Take a hat.");
  });
  brain.answer("item_1");
  await settled();
  expect(told).toEqual([]);
  expect(waits).toEqual(["thinks"]);
  brain.words("item_1", "How is the weather?");
  await settled();
  expect(told).toEqual(["call_1:item_1 How is the weather?"]);
  expect(said).toEqual([
    { cause: "reply", text: "It is sunny." },
    { cause: "reply", text: "Take a hat." },
  ]);
  expect(waits.filter((wait) => wait === "ready")).toHaveLength(1);
});

test("words that came before the turn wanted an answer are known", async () => {
  const { brain, said } = brainWith(async ({ text }, onWords) => onWords(`You said: ${text}`));
  brain.words("item_1", "Hello?");
  brain.answer("item_1");
  await settled();
  expect(said).toEqual([{ cause: "reply", text: "You said: Hello?" }]);
});

test("after an interruption nothing more of the reply is said, and the agent is told to stop", async () => {
  let speak: (words: string) => void = () => {};
  let aborted = false;
  const { brain, said, waits } = brainWith((_, onWords, signal) => {
    speak = onWords;
    return new Promise((_resolve, reject) =>
      signal.addEventListener("abort", () => {
        aborted = true;
        reject(signal.reason);
      }),
    );
  });
  brain.words("item_1", "Tell me a story.");
  brain.answer("item_1");
  await settled();
  speak("Once upon a time.");
  brain.stop();
  speak("There was a king.");
  await settled();
  expect(aborted).toBe(true);
  expect(said).toEqual([{ cause: "reply", text: "Once upon a time." }]);
  expect(waits.filter((wait) => wait === "ready")).toHaveLength(1);
});

test("an agent that fails, or says nothing, is excused in the model's words; its error is not read aloud", async () => {
  for (const ask of [() => Promise.reject(new Error("secret of the host")), async () => {}]) {
    const { brain, said } = brainWith(ask);
    brain.words("item_1", "Hello?");
    brain.answer("item_1");
    await settled();
    expect(said).toHaveLength(1);
    expect(said[0]?.cause).toBe("turn");
    expect(JSON.stringify(said)).not.toContain("secret");
  }
});

test("a turn without words, or whose words never come, is not told", async () => {
  let asked = 0;
  const { brain, clock, said, waits } = brainWith(async () => {
    asked += 1;
  });
  brain.answer("item_1");
  brain.words("item_1", "  ");
  await settled();
  brain.answer("item_2");
  clock.pass(6_000);
  await settled();
  expect(asked).toBe(0);
  expect(said).toEqual([]);
  expect(waits).toEqual(["thinks", "ready", "thinks", "ready"]);
  expect(clock.running).toBe(0);
});
