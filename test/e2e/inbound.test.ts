import { expect, test } from "vitest";
import { CLIP_TEXTS } from "../../src/calls/clips.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { post } from "./carrier-post.ts";
import { ANN, BOB, GREETING, OUR_NUMBER, types, worlds } from "./world.ts";

const world = worlds();
const mind = ruleMind([]);

test("a caller outside the allowlist is turned away politely, and no model is asked", async () => {
  const ours = await world({ mind });
  const ending = ours.nextEnd();
  const report = await ours.phones.ring({ from: BOB, to: OUR_NUMBER }).ended;
  expect(report.twiml.join()).toContain("this number does not take calls from you");
  expect(report.heardSegments.length).toBeGreaterThan(0);
  expect(await ending).toMatchObject({ endReason: "not_allowed", from: BOB, turns: 0 });
  expect(ours.model.sessions).toHaveLength(0);
});

test("a caller beyond maxConcurrentCalls hears that all lines are busy; the line is free again afterwards", async () => {
  const ours = await world({ mind, account: { limits: { maxConcurrentCalls: 1 }, dmPolicy: "open" } });
  const free = Promise.withResolvers<void>();
  const first = ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      await free.promise;
    },
  });
  await first.streaming();
  const turnedAway = ours.nextEnd();
  const report = await ours.phones.ring({ from: BOB, to: OUR_NUMBER }).ended;
  expect(report.twiml.join()).toContain("all lines are busy");
  expect(await turnedAway).toMatchObject({ endReason: "rejected", from: BOB });
  const over = ours.nextEnd();
  free.resolve();
  expect(await over).toMatchObject({ endReason: "caller_hangup", words: [`agent: ${GREETING}`] });
  const third = ours.nextEnd();
  ours.phones.ring({ from: BOB, to: OUR_NUMBER, script: (line) => line.hearReply() });
  expect((await third).words).toEqual([`agent: ${GREETING}`]);
});

test.each([
  ["refuses the key", { refuseUpgrade: { status: 401, code: "invalid_api_key" } }, {}],
  ["does not know the model", {}, { engine: { model: "gpt-nonsense" } }],
  ["never greets", { noSessionCreated: true }, {}],
])("the engine %s: the caller hears an apology, and the call ends as engine_error", async (_what, faults, change) => {
  const ours = await world({ mind, speed: 8 });
  Object.assign(ours.model.faults, faults);
  const { engine, ...account } = ours.account as { engine: object };
  const changed = { ...account, engine: { ...engine, ...("engine" in change ? change.engine : {}) } };
  await ours.plugin.setAccount("default", changed);
  const failures: string[] = [];
  ours.plugin.on("error", ({ code }) => failures.push(code));
  const ending = ours.nextEnd();
  const report = await ours.phones.ring({ from: ANN, to: OUR_NUMBER }).ended;
  expect(report.twiml.at(-1)).toContain("I cannot talk right now");
  expect(report.heardSegments.length).toBeGreaterThan(0);
  const call = await ending;
  expect(call.endReason).toBe("engine_error");
  expect(types(call)).toContain("fault.noted");
  expect(failures).toHaveLength(1);
});

test("an engine at an address where nobody listens: the caller hears an apology", async () => {
  const ours = await world({ mind, account: { engine: { apiKey: "sk-test", baseUrl: "http://127.0.0.1:9/v1" } } });
  const ending = ours.nextEnd();
  const report = await ours.phones.ring({ from: ANN, to: OUR_NUMBER }).ended;
  expect(report.twiml.join()).toContain("I cannot talk right now");
  expect(await ending).toMatchObject({ endReason: "engine_error" });
});

test("an engine that needs more than 800 ms is waited for: the caller is connected, then greeted once", async () => {
  const ours = await world({ mind });
  ours.model.faults.openAfterMs = 2_500;
  const ending = ours.nextEnd();
  ours.phones.ring({ from: ANN, to: OUR_NUMBER, script: (line) => line.hearReply() });
  expect(await ending).toMatchObject({ endReason: "caller_hangup", words: [`agent: ${GREETING}`] });
});

test("an engine that dies in mid-call is replaced by a new session, and the talk goes on", async () => {
  const ours = await world({ mind });
  ours.model.faults.dropAfterMs = 4_000;
  const ending = ours.nextEnd();
  const report = await ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      const second = ours.model.nextSession();
      delete ours.model.faults.dropAfterMs;
      await second;
      await line.say("Are you there?");
      await line.hearReply();
    },
  }).ended;
  expect(report.status).toBe("completed");
  expect(await ending).toMatchObject({ endReason: "caller_hangup" });
});

test("an engine that is gone for good in mid-call is apologised for aloud, and the call ends as engine_error", async () => {
  const ours = await world({ mind });
  ours.model.faults.dropAfterMs = 4_000;
  const ending = ours.nextEnd();
  const first = ours.model.nextSession();
  const call = ours.phones.ring({ from: ANN, to: OUR_NUMBER });
  await first;
  ours.model.faults.refuseUpgrade = { status: 401, code: "invalid_api_key" };
  await call.ended;
  const { endReason, words } = await ending;
  expect(endReason).toBe("engine_error");
  expect(words).toEqual([`agent: ${GREETING}`, `agent: ${CLIP_TEXTS.apology}`]);
});

test("a call that lasts too long is told so, and ends as max_duration", async () => {
  const ours = await world({ mind, speed: 10, account: { limits: { maxCallSeconds: 10 } } });
  const ending = ours.nextEnd();
  const report = await ours.phones.ring({ from: ANN, to: OUR_NUMBER }).ended;
  expect(report.twiml.at(-1)).toContain("our time is up");
  expect(await ending).toMatchObject({ endReason: "max_duration" });
});

test("unknown, disabled and incomplete accounts refuse their webhooks while another account takes calls", async () => {
  const ours = await world({ mind });
  const { carrier, ...rest } = ours.account as { carrier: { authToken?: string } };
  const { authToken: _secret, ...keyless } = carrier;
  const reference = { source: "env", provider: "default", id: "NOWHERE" };
  expect(await ours.plugin.setAccount("off", { ...rest, carrier, enabled: false })).toMatchObject({ state: "stopped" });
  expect(
    await ours.plugin.setAccount("keyless", { ...rest, carrier: { ...keyless, authToken: reference } }),
  ).toMatchObject({
    state: "secret_missing",
    problem: expect.stringContaining("carrier.authToken"),
  });
  const answers = await Promise.all(
    ["nobody", "off", "keyless"].map((account) => post(ours, `/twilio/${account}/voice`)),
  );
  expect(answers.map(({ status }) => status)).toEqual([404, 404, 403]);
  const ending = ours.nextEnd();
  ours.phones.ring({ from: ANN, to: OUR_NUMBER, script: (line) => line.hearReply() });
  expect((await ending).words).toEqual([`agent: ${GREETING}`]);
});
