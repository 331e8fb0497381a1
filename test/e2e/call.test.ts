import { expect, test } from "vitest";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, OUR_NUMBER, types, worlds } from "./world.ts";

const world = worlds();

test("a person rings, is greeted once, asks, is answered, and hangs up", async () => {
  const { phones, nextEnd } = await world({
    mind: ruleMind([{ when: /open/i, say: "We are open from nine to five." }]),
  });
  const ending = nextEnd();
  phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      await line.say("When are you open?");
      await line.hearReply();
    },
  });
  const call = await ending;
  expect(call.words).toEqual([
    "agent: Hello, this is Nia.",
    "caller: When are you open?",
    "agent: We are open from nine to five.",
  ]);
  expect(call).toMatchObject({ state: "ended", endReason: "caller_hangup", direction: "inbound" });
  expect(types(call).filter((type) => type === "call.ended")).toHaveLength(1);
});
