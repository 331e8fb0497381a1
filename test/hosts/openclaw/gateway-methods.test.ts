import type { OpenClawPluginApi } from "openclaw/plugin-sdk/channel-core";
import { expect, test } from "vitest";
import type { UseDesk } from "../../../src/hosts/openclaw/desk-exchange.ts";
import { registerGatewayMethods } from "../../../src/hosts/openclaw/gateway-methods.ts";
import { link, ScriptedCalls } from "../../http/desks.ts";

type Handler = Parameters<OpenClawPluginApi["registerGatewayMethod"]>[1];

/** The methods over a desk that a test scripts, each by its name. */
function open() {
  const calls = new ScriptedCalls();
  const methods = new Map<string, { readonly handler: Handler; readonly scope: unknown }>();
  const api = {
    registerGatewayMethod: (name: string, handler: Handler, { scope }: { readonly scope: unknown }) =>
      methods.set(name, { handler, scope }),
  } as unknown as OpenClawPluginApi;
  const useDesk = async (action: (voice: unknown) => unknown) => action(calls);
  registerGatewayMethods(api, useDesk as UseDesk);
  const run = async (name: string, params: object) => {
    const answers: unknown[][] = [];
    const order = { params, respond: (...answer: unknown[]) => void answers.push(answer) };
    await methods.get(name)?.handler(order as unknown as Parameters<Handler>[0]);
    return answers;
  };
  return { calls, methods, run };
}

test("voice.place names the conversation that the call goes on with, if there is one", async () => {
  const { calls, run } = open();
  const [answer] = await run("voice.place", { to: "+15550001111", continues: "agent:main:direct:ann" });
  expect(answer).toMatchObject([true, { state: "dialing" }]);
  await run("voice.place", { to: "+15550001111", continues: "" });
  expect(calls.placed).toEqual([{ to: "+15550001111", continues: "agent:main:direct:ann" }, { to: "+15550001111" }]);
});

test("say, dtmf and instruct act on the call, and need leave to act", async () => {
  const { calls, methods, run } = open();
  await run("voice.say", { callId: "call_1", text: "One moment." });
  await run("voice.dtmf", { callId: "call_1", digits: "1w2#", durationMs: 100 });
  await run("voice.instruct", { callId: "call_1", text: "Be brief.", respond: true });
  expect(calls.said).toEqual([["call_1", "One moment."]]);
  expect(calls.keys).toEqual([["call_1", "1w2#", { durationMs: 100 }]]);
  expect(calls.instructed).toEqual([["call_1", "Be brief.", { respond: true }]]);
  for (const name of ["say", "dtmf", "instruct", "place", "end"]) {
    expect(methods.get(`voice.${name}`)?.scope).toBe("operator.write");
  }
});

test("what was said is found and read by whoever may read", async () => {
  const { calls, methods, run } = open();
  await run("voice.search", { text: "window seat", caller: "+1 555 000 1111", limit: 5, accountId: "" });
  expect(calls.searches).toEqual([{ text: "window seat", caller: "+15550001111", limit: 5 }]);
  const [answer] = await run("voice.transcript", { callId: "call_1", format: "vtt" });
  expect(answer).toEqual([true, expect.objectContaining({ body: expect.stringMatching(/^WEBVTT/) })]);
  expect(await run("voice.transcript", { callId: "call_1", format: "pdf" })).toEqual([
    [false, undefined, expect.objectContaining({ message: expect.stringContaining("format") })],
  ]);
  for (const name of ["search", "transcript"]) expect(methods.get(`voice.${name}`)?.scope).toBe("operator.read");
});

test("a person is erased by an administrator alone, by a number that is one", async () => {
  const { calls, methods, run } = open();
  const [answer] = await run("voice.erase", { number: "+1 555 000 1111" });
  expect(answer).toMatchObject([true, { number: "+15550001111", callIds: ["call_1"] }]);
  expect(await run("voice.erase", { number: "Ann" })).toEqual([
    [false, undefined, expect.objectContaining({ details: { code: "invalid_number" } })],
  ]);
  expect(calls.erased).toEqual([{ number: "+15550001111" }]);
  expect(methods.get("voice.erase")?.scope).toBe("operator.admin");
});

test("links are listed by whoever reads, and taken back by whoever writes", async () => {
  const { calls, methods, run } = open();
  calls.linked = [link];
  expect(await run("voice.links", { accountId: "default" })).toEqual([[true, { links: [link] }]]);
  expect(await run("voice.unlink", { number: "+1 555 000 1111", accountId: "other" })).toEqual([
    [true, { removed: [] }],
  ]);
  expect(await run("voice.unlink", { number: "+1 555 000 1111" })).toEqual([[true, { removed: [link] }]]);
  expect(calls.linked).toEqual([]);
  expect([methods.get("voice.links")?.scope, methods.get("voice.unlink")?.scope]).toEqual([
    "operator.read",
    "operator.write",
  ]);
});

test("a refusal is told with its code, once", async () => {
  const { run } = open();
  expect(await run("voice.dtmf", { callId: "call_9", digits: "1" })).toEqual([
    [false, undefined, expect.objectContaining({ details: { code: "call_not_found" } })],
  ]);
});
