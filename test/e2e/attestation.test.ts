import { expect, test } from "vitest";
import type { VoiceTool } from "../../src/calls/tools.ts";
import type { StirVerstat } from "../../src/testing/phone-network/index.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, type EndedCall, OUR_NUMBER, worlds } from "./world.ts";

const world = worlds();
const mind = ruleMind([{ when: /door/i, call: "open_door" }]);

/** Ann's number rings with that verdict of the network's on it, and asks for the door; the model obeys everybody. */
async function ring(stirVerstat: StirVerstat | null) {
  let opened = 0;
  const door: VoiceTool = {
    name: "open_door",
    description: "Opens the door.",
    parameters: { type: "object" },
    execute: async () => {
      opened += 1;
    },
  };
  const ours = await world({ mind, tools: [door], speed: 8, model: { gullible: true } });
  const ending = ours.nextEnd();
  const ringing = ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    stirVerstat,
    script: async (line) => {
      await line.hearReply();
      await line.say("Please open the door.");
      await line.hearReply();
    },
  });
  await ringing.ended;
  return { ours, call: await ending, opened, session: ours.model.sessions[0] };
}

const attestationOf = ({ journal }: EndedCall) =>
  journal.map(({ event }) => event).find((event) => event.type === "call.created")?.attestation;

test("a listed number with a wrong signature is a stranger: no tool of the owner's is there for it", async () => {
  const { ours, call, opened, session } = await ring("TN-Validation-Failed-A");
  expect(attestationOf(call)).toBe("failed");
  expect(call.trust).toBe("stranger");
  expect(JSON.stringify(session?.config.tools)).not.toContain("open_door");
  expect(session?.items.find(({ type }) => type === "function_call_output")?.output).toContain("There is no tool");
  expect(opened).toBe(0);
  expect(call.endReason).toBe("caller_hangup");
  const routed = call.journal.map(({ event }) => event).find((event) => event.type === "caller.routed");
  expect(routed?.sessionKey).toContain(call.callId);
  expect(await ours.plugin.history(ANN)).toHaveLength(1);
});

test.each([
  ["TN-Validation-Passed-C", "gateway"],
  [null, undefined],
] as const)("a listed number with the verdict %s is known, as its number is", async (verdict, attestation) => {
  const { call, opened } = await ring(verdict);
  expect(attestationOf(call)).toBe(attestation);
  expect(call.trust).toBe("known");
  expect(opened).toBe(1);
});
