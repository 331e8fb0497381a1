import { expect, test } from "vitest";
import { VoiceError } from "../../src/core/errors.ts";
import type { CalleeOptions } from "../../src/testing/phone-network/index.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, BOB, OUR_NUMBER, types, worlds } from "./world.ts";

const world = worlds();
const mind = ruleMind([{ when: /thank/i, say: "You are welcome." }]);
const MESSAGE = "Your table is booked for eight.";

test("a call that is placed rings, is answered, and begins with the message word for word", async () => {
  const ours = await world({ mind });
  const heard: string[] = [];
  for (const name of ["ringing", "answered", "ended"] as const) ours.plugin.on(name, () => heard.push(name));
  ours.phones.addPerson(ANN, {
    script: async (line) => {
      await line.hearReply();
      await line.say("Thank you.");
      await line.hearReply();
    },
  });
  const ending = ours.nextEnd();
  const placed = await ours.plugin.placeCall({ to: ANN, message: MESSAGE, purpose: "Confirm the table" });
  expect(placed).toMatchObject({ state: "dialing", direction: "outbound", from: OUR_NUMBER, to: ANN });
  const call = await ending;
  expect(call.words).toEqual([`agent: ${MESSAGE}`, "caller: Thank you.", "agent: You are welcome."]);
  expect(call).toMatchObject({ callId: placed.callId, endReason: "callee_hangup", trust: "known" });
  expect(heard).toEqual(["ringing", "answered", "ended"]);
});

test.each<[CalleeOptions["outcome"], string]>([
  ["busy", "busy"],
  ["no-answer", "no_answer"],
  ["reject", "rejected"],
  ["invalid", "invalid_number"],
  ["failed", "carrier_error"],
])("a callee who is %s ends the call as %s, once", async (outcome, endReason) => {
  const ours = await world({ mind, speed: 40 });
  ours.phones.addPerson(ANN, { outcome: outcome as "busy" });
  const ending = ours.nextEnd();
  await ours.plugin.placeCall({ to: ANN });
  const call = await ending;
  expect(call).toMatchObject({ endReason, state: "ended", turns: 0 });
  expect(types(call).filter((type) => type === "call.ended")).toHaveLength(1);
  expect(ours.model.sessions).toHaveLength(0);
});

test.each([
  [400, 21211, "invalid_number"],
  [400, 21214, "invalid_number"],
  [401, 20003, "carrier_error"],
  [400, 21215, "not_allowed"],
  [429, 20429, "carrier_error"],
])("the carrier refuses with %i/%i: the error says what to do, and the call ends", async (status, code, endReason) => {
  const ours = await world({ mind });
  ours.phones.faults.rest = ({ method }) => (method === "POST" ? { error: { status, code } } : undefined);
  const ending = ours.nextEnd();
  const error = await ours.plugin.placeCall({ to: ANN }).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(VoiceError);
  expect(error).toMatchObject({ code: "carrier_refused", carrierCode: String(code) });
  expect((error as VoiceError).message).toMatch(/[A-Z][^.]+\.$/);
  expect((await ending).endReason).toBe(endReason);
  expect(ours.phones.calls).toHaveLength(0);
});

test("a carrier that cannot be reached: the caller of the method is told, and the call ends with a reason", async () => {
  const ours = await world({ mind, speed: 40 });
  ours.phones.faults.rest = () => ({ unreachable: true });
  const ending = ours.nextEnd();
  await expect(ours.plugin.placeCall({ to: ANN })).rejects.toMatchObject({
    code: "carrier_unreachable",
    retryable: true,
  });
  expect((await ending).endReason).toBe("carrier_error");
});

test("an order whose answer got lost is carried out once: the call is found by its own messages", async () => {
  const ours = await world({ mind });
  ours.phones.addPerson(ANN, { script: (line) => line.hearReply() });
  ours.phones.faults.rest = ({ method, path }) =>
    method === "POST" && path.endsWith("Calls.json") ? { loseAnswer: true } : undefined;
  const ending = ours.nextEnd();
  await expect(ours.plugin.placeCall({ to: ANN, message: MESSAGE })).rejects.toMatchObject({
    code: "carrier_unreachable",
  });
  expect(await ending).toMatchObject({ endReason: "callee_hangup", words: [`agent: ${MESSAGE}`] });
  expect(ours.phones.calls).toHaveLength(1);
});

test("the same request places one call, also at once, also when it failed at first", async () => {
  const ours = await world({ mind });
  ours.phones.addPerson(ANN, { outcome: "busy" });
  const ending = ours.nextEnd();
  const place = () => ours.plugin.placeCall({ to: ANN, requestId: "tool-call-1" });
  const [one, two] = await Promise.all([place(), place()]);
  await ending;
  const three = await place();
  expect([two.callId, three.callId]).toEqual([one.callId, one.callId]);
  expect(three.state).toBe("ended");
  expect(ours.phones.calls).toHaveLength(1);
});

test("placementsPerMinute: further calls are refused, and a request that was refused may be made again", async () => {
  const ours = await world({ mind, speed: 200, account: { limits: { placementsPerMinute: 2 } } });
  ours.phones.addPerson(ANN, { outcome: "busy" });
  for (const _ of [1, 2]) {
    const ending = ours.nextEnd();
    await ours.plugin.placeCall({ to: ANN });
    await ending;
  }
  const again = { to: ANN, requestId: "later" };
  await expect(ours.plugin.placeCall(again)).rejects.toMatchObject({ code: "limit_reached", retryable: true });
  await new Promise<void>((resolve) => void ours.clock.after(60_000, resolve));
  const ending = ours.nextEnd();
  await ours.plugin.placeCall(again);
  expect((await ending).endReason).toBe("busy");
});

test.each([
  [{ to: "5550001" }, "invalid_number"],
  [{ to: "" }, "invalid_number"],
  [{ to: ANN, from: BOB }, "not_allowed"],
  [{ to: OUR_NUMBER }, "not_allowed"],
  [{ to: ANN, message: "x".repeat(2_001) }, "invalid_request"],
  [{ to: ANN, accountId: "nobody" }, "account_unavailable"],
])("%o is refused as %s before anything is written or dialled", async (request, code) => {
  const ours = await world({ mind });
  await expect(ours.plugin.placeCall(request)).rejects.toMatchObject({ code });
  expect(ours.phones.calls).toHaveLength(0);
  expect((await ours.plugin.calls()).calls).toHaveLength(0);
});

test("endCall resolves once the carrier has confirmed, in the middle of a sentence too", async () => {
  const ours = await world({ mind });
  ours.phones.addPerson(ANN);
  const ending = ours.nextEnd();
  const { callId } = await ours.plugin.placeCall({ to: ANN, message: MESSAGE });
  const call = await ours.phones.nextCall();
  await call.streaming();
  await call.line.waitForSpeech();
  await call.line.pause(700);
  const result = await ours.plugin.endCall(callId);
  expect(result).toMatchObject({ confirmed: true, call: { state: "ended", endReason: "agent_ended" } });
  expect(call.status).toBe("completed");
  expect((await ending).words[0]).toMatch(/ -$/);
  expect(await ours.plugin.endCall(callId)).toMatchObject({ confirmed: true });
});

test.each([
  ["lost", { lose: true }],
  ["late", { delayMs: 3_000 }],
  ["twice", { copies: 2 }],
  ["out of order", { swapWithNext: true }],
])("status messages that come %s: the call still ends exactly once, with its reason", async (how, fate) => {
  const ours = await world({ mind, speed: 8 });
  ours.phones.faults.webhook = ({ kind, params }) => {
    if (kind !== "status") return undefined;
    return how === "out of order" && params["CallStatus"] !== "ringing" ? undefined : fate;
  };
  ours.phones.addPerson(ANN, { script: (line) => line.hearReply() });
  const ends: string[] = [];
  ours.plugin.on("ended", ({ callId }) => ends.push(callId));
  const ending = ours.nextEnd();
  await ours.plugin.placeCall({ to: ANN, message: MESSAGE });
  const call = await ending;
  expect(call).toMatchObject({ endReason: "callee_hangup", words: [`agent: ${MESSAGE}`] });
  expect(types(call).filter((type) => type === "call.ended")).toHaveLength(1);
  await (await ours.phones.nextCall()).ended;
  expect(ends).toEqual([call.callId]);
});

test("an unanswered call whose messages are all lost is asked for, and ends by the carrier's word", async () => {
  const ours = await world({ mind, speed: 60 });
  ours.phones.faults.webhook = ({ kind }) => (kind === "status" ? { lose: true } : undefined);
  ours.phones.addPerson(ANN, { outcome: "no-answer" });
  const ending = ours.nextEnd();
  await ours.plugin.placeCall({ to: ANN });
  expect((await ending).endReason).toBe("no_answer");
});
