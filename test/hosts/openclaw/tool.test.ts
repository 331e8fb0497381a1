import { afterEach, expect, test } from "vitest";
import { InvalidRequestError } from "../../../src/core/errors.ts";
import { answerForDesk, type UseDesk } from "../../../src/hosts/openclaw/desk-exchange.ts";
import { phoneCallTool } from "../../../src/hosts/openclaw/tool.ts";
import { ScriptedCalls } from "../../http/desks.ts";

let leave: (() => void) | undefined;
afterEach(() => leave?.());

/** The tool over a desk that a test scripts, as a session has it. */
function open(session: object = { sessionId: "s", sessionKey: "agent:main", messageChannel: "telegram" }) {
  const calls = new ScriptedCalls();
  leave = answerForDesk(((action: (voice: unknown) => unknown) => action(calls)) as UseDesk);
  const tool = phoneCallTool()(session as never) as unknown as {
    parameters: { properties: Record<string, { enum?: string[] }> };
    execute(id: string, args: unknown): Promise<{ details: unknown }>;
  };
  return { calls, tool, run: async (args: unknown) => (await tool.execute("t1", args)).details };
}

test("dtmf presses the keys, and its result is the API's", async () => {
  const { calls, run, tool } = open();
  expect(await run({ action: "dtmf", callId: "call_1", digits: "1w2#" })).toEqual({ callId: "call_1", digits: "1w2#" });
  expect(calls.keys).toEqual([["call_1", "1w2#", undefined]]);
  expect(tool.parameters.properties["action"]?.enum).toContain("dtmf");
  expect(tool.parameters.properties).toHaveProperty("digits");
});

test("case 37: keys that were not sent are a refusal, never a success", async () => {
  const { calls, run } = open();
  expect(await run({ action: "dtmf", callId: "call_1" })).toMatchObject({ code: "invalid_request" });
  expect(await run({ action: "dtmf", digits: "1" })).toMatchObject({ code: "invalid_request" });
  expect(await run({ action: "dtmf", callId: "call_9", digits: "1" })).toMatchObject({ code: "call_not_found" });
  calls.failure = new InvalidRequestError("digits", "the carrier of this call cannot send keys");
  const refusal = await run({ action: "dtmf", callId: "call_1", digits: "1" });
  expect(refusal).toMatchObject({ code: "invalid_request", message: expect.stringContaining("cannot send keys") });
  expect(calls.keys).toEqual([]);
});

test("an action that is not there names those that are", async () => {
  const { run } = open();
  const refusal = await run({ action: "press" });
  expect(refusal).toMatchObject({ code: "invalid_request", message: expect.stringContaining("dtmf") });
});

test("a call that is placed from a chat goes on with it only when the agent says so: others are not to hear it", async () => {
  const { calls, run } = open();
  await run({ action: "place", to: "+15550001111" });
  await run({ action: "place", to: "+15550001111", continues: true });
  await run({ action: "place", to: "+15550002222", continues: false });
  const requestId = "s:t1";
  expect(calls.placed).toEqual([
    { to: "+15550001111", requestId },
    { to: "+15550001111", requestId, continues: "agent:main" },
    { to: "+15550002222", requestId },
  ]);
});

test.each([
  ["on a phone call", { sessionId: "s", sessionKey: "agent:main:voice", messageChannel: "voice" }],
  ["without a session", { sessionId: "s" }],
])("a call that is placed %s goes on with nothing", async (_, session) => {
  const { calls, run } = open(session);
  await run({ action: "place", to: "+15550001111" });
  expect(calls.placed).toEqual([{ to: "+15550001111", requestId: "s:t1" }]);
});
