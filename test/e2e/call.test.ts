import { afterEach, expect, test } from "vitest";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, OUR_NUMBER, startWorld, type World } from "./world.ts";

let world: World | undefined;
afterEach(async () => {
  await world?.stop();
  world = undefined;
});

test("a person rings, is greeted once, asks, is answered, and hangs up", async () => {
  world = await startWorld({
    mind: ruleMind([{ when: /open/i, say: "We are open from nine to five." }]),
  });
  const ended = new Promise((resolve) => world?.plugin.once("ended", resolve));
  const call = world.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      await line.say("When are you open?");
      await line.hearReply();
    },
  });
  const report = await call.ended;
  const summary = (await ended) as { callId: string };
  const details = await world.plugin.call(summary.callId);
  const words = details.transcript.map(({ speaker, text }) => `${speaker}: ${text}`);
  console.log(
    report.twiml,
    report.errors,
    report.heardSegments,
    report.requests.map((r) => [r.url, r.status]),
    details,
  );
  expect(words).toEqual([
    "agent: Hello, this is Nia.",
    "caller: When are you open?",
    "agent: We are open from nine to five.",
  ]);
  expect(details).toMatchObject({ state: "ended", endReason: "caller_hangup", direction: "inbound" });
});
