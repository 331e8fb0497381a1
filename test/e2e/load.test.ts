import { expect, test } from "vitest";
import type { CallSummary } from "../../src/core/call.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, GREETING, OUR_NUMBER, type World, worlds } from "./world.ts";

const world = worlds();
const mind = ruleMind([{ when: /open/i, say: "Until five." }]);
const WORDS = [`agent: ${GREETING}`, "caller: When are you open?", "agent: Until five."];

/** One call: Ann goes on when the agent has said its line, by the plugin's account unless she is to listen herself. */
async function talk(ours: World, { listens = true } = {}): Promise<void> {
  const agentTurn = () =>
    new Promise<void>((resolve) => {
      const heard = ({ speaker }: { speaker: string }) => {
        if (speaker !== "agent") return;
        ours.plugin.off("transcript", heard);
        resolve();
      };
      ours.plugin.on("transcript", heard);
    });
  const call = ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await (listens ? line.hearReply() : agentTurn());
      await line.say("When are you open?");
      await (listens ? line.hearReply() : agentTurn());
    },
  });
  await call.ended;
}

/** Resolves with the calls once so many have ended. */
function ends(ours: World, count: number): Promise<CallSummary[]> {
  const calls: CallSummary[] = [];
  return new Promise((resolve) => {
    ours.plugin.on("ended", (call) => {
      calls.push(call);
      if (calls.length === count) resolve(calls);
    });
  });
}

async function words(ours: World, calls: readonly CallSummary[]): Promise<string[][]> {
  const details = await Promise.all(calls.map(({ callId }) => ours.plugin.call(callId)));
  return details.map(({ transcript }) => transcript.map(({ speaker, text }) => `${speaker}: ${text}`));
}

test("case 4: 100 calls one after another are all whole, and nothing is left of them", async () => {
  const ours = await world({ mind, speed: 25 });
  const all = ends(ours, 100);
  for (let count = 0; count < 100; count++) await talk(ours, { listens: false });
  const calls = await all;
  expect(new Set(calls.map(({ endReason }) => endReason))).toEqual(new Set(["caller_hangup"]));
  expect(await words(ours, calls)).toEqual(Array(100).fill(WORDS));
});

test("case 43: 20 calls at once are all whole, and nothing is left of them", async () => {
  const ours = await world({ mind, speed: 6, account: { limits: { maxConcurrentCalls: 20 } } });
  const all = ends(ours, 20);
  await Promise.all(Array.from({ length: 20 }, () => talk(ours)));
  const calls = await all;
  expect(await words(ours, calls)).toEqual(Array(20).fill(WORDS));
  expect(ours.model.sessions).toHaveLength(20);
});
