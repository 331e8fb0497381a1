import { expect, test } from "vitest";
import { startPhoneNetwork } from "../../../src/testing/phone-network/index.ts";
import { toneVoice } from "./application.ts";
import { AGENT_NUMBER, CALLER_NUMBER, useWorld } from "./world.ts";

const world = useWorld();

const answerWith = (twiml: string) => {
  world.application.handlers["/voice"] = () => `<?xml version="1.0" encoding="UTF-8"?><Response>${twiml}</Response>`;
};
const codes = (report: { errors: readonly { code: number }[] }) => report.errors.map(({ code }) => code);
const requestsOf = (path: string) => world.application.received.filter((request) => request.path === path);

test("<Say> is heard, and the call ends when the TwiML runs out", async () => {
  answerWith("<!-- hello --><Say>ten letters</Say><Pause length='1'/><Say loop='2'><![CDATA[a&b]]></Say>");
  const report = await world.ring().ended;
  expect(report.status).toBe("completed");
  // 20 ms of tone for each character
  const lengths = report.heardSegments.map(({ startMs, endMs }) => endMs - startMs);
  expect(lengths[0]).toBe(220);
  expect(lengths[1]).toBeGreaterThanOrEqual(120);
  expect(report.twiml).toHaveLength(1);
});

test("<Play digits> is heard as tones", async () => {
  answerWith("<Play digits='12'/>");
  const report = await world.ring().ended;
  const [{ startMs, endMs } = { startMs: 0, endMs: 0 }] = report.heardSegments;
  expect(endMs - startMs).toBe(300); // two keys of 100 ms, 100 ms apart
});

test("case 2: an empty response ends the call at once", async () => {
  answerWith("");
  const report = await world.ring().ended;
  expect(report).toMatchObject({ status: "completed", heardSegments: [] });
  expect(report.durationMs).toBeLessThan(100);
});

test.each([
  ["busy", "busy"],
  ["rejected", "no-answer"],
])("<Reject reason=%s> ends as %s, unanswered", async (reason, status) => {
  answerWith(`<Reject reason="${reason}"/><Say>never</Say>`);
  const report = await world.ring({ script: () => Promise.reject(new Error("nobody may answer")) }).ended;
  expect(report).toMatchObject({ status, durationMs: 0 });
  expect(requestsOf("/status")[0]?.params["CallStatus"]).toBe(status);
});

test("<Redirect> asks again with the call in progress, and nothing after it runs", async () => {
  answerWith("<Pause/><Say>one</Say><Redirect>/next</Redirect><Say>never</Say>");
  world.application.handlers["/next"] = () => "<Response><Hangup/></Response>";
  const report = await world.ring().ended;
  expect(report.twiml).toHaveLength(2);
  expect(report.heardSegments).toHaveLength(1);
  expect(requestsOf("/voice")[0]?.params["CallStatus"]).toBe("ringing");
  expect(requestsOf("/next")[0]?.params["CallStatus"]).toBe("in-progress");
});

test("an unknown verb is noted and skipped", async () => {
  answerWith("<Dance/><Say>hello</Say>");
  const report = await world.ring().ended;
  expect(codes(report)).toEqual([12_200]);
  expect(report.heardSegments).toHaveLength(1);
});

test.each([
  ["XML that is not well formed", "<Response><Say>hi</Response>"],
  ["an open entity", "<Response><Say>Tom & Ann</Say></Response>"],
  ["two roots", "<Response/><Response/>"],
  ["a wrong root", "<Answer/>"],
  ["nothing", ""],
])("%s is 12100, and the caller hears an apology", async (_what, body) => {
  world.application.handlers["/voice"] = () => body;
  const report = await world.ring().ended;
  expect(codes(report)).toEqual([12_100]);
  expect(report).toMatchObject({ status: "completed" });
  expect(report.heardSegments).toHaveLength(1);
});

test("an answer of a type that is not TwiML is 12300", async () => {
  world.application.handlers["/voice"] = () => ({ type: "application/json", body: "{}" });
  expect(codes(await world.ring().ended)).toEqual([12_300]);
});

test("a voice webhook that fails is 11200, and the fallback is asked with the reason", async () => {
  world.application.handlers["/voice"] = () => ({ status: 500 });
  world.application.handlers["/fallback"] = () => "<Response><Say>fallback</Say></Response>";
  const report = await world.ring().ended;
  expect(codes(report)).toEqual([11_200]);
  expect(requestsOf("/fallback")[0]?.params).toMatchObject({
    ErrorCode: "11200",
    ErrorUrl: "https://voice.example.com/voice",
  });
  expect(report.heardSegments).toHaveLength(1);
});

test("an application that does not answer within 15 seconds has failed", async () => {
  const late = Promise.withResolvers<string>();
  world.application.handlers["/voice"] = () => late.promise;
  world.application.handlers["/fallback"] = () => "<Response><Hangup/></Response>";
  const report = await world.ring().ended;
  late.resolve("<Response/>");
  expect(codes(report)).toEqual([11_200]);
});

test("an application that is not there is 11205, and the fallback is asked", async () => {
  world.network.faults.webhook = ({ kind }) => (kind === "voice" ? { lose: true } : undefined);
  world.application.handlers["/fallback"] = () => "<Response><Hangup/></Response>";
  const report = await world.ring().ended;
  expect(codes(report)).toEqual([11_205]);
  expect(report.requests.map(({ kind }) => kind)).toEqual(["voice", "fallback", "status"]);
});

test("an application whose port is closed is tried once more", async () => {
  const { application } = world;
  let attempts = 0;
  const routes = {
    get "https://flaky.example.com"() {
      attempts += 1;
      return attempts === 1 ? "http://127.0.0.1:1" : application.baseUrl;
    },
  };
  const flaky = await startPhoneNetwork({ speed: 10, voice: toneVoice, routes });
  flaky.addNumber(AGENT_NUMBER, { voiceUrl: "https://flaky.example.com/voice" });
  const report = await flaky.ring({ from: CALLER_NUMBER, to: AGENT_NUMBER }).ended;
  await flaky.stop();
  expect(attempts).toBe(2);
  expect(report.errors).toEqual([]);
});

test("a caller who gives up while it rings was never answered", async () => {
  const asked = world.application.arrived("/voice");
  const answer = Promise.withResolvers<string>();
  world.application.handlers["/voice"] = () => answer.promise;
  const call = world.ring();
  await asked;
  call.hangUp();
  answer.resolve("<Response><Say>too late</Say></Response>");
  expect(await call.ended).toMatchObject({ status: "no-answer", durationMs: 0, twiml: [] });
});

test("a script that fails fails its call's report", async () => {
  answerWith("<Play digits='w'/><Pause length='10'/>"); // a pause that comes first would not answer
  const call = world.ring({ script: (line) => line.waitForSpeech({ timeoutMs: 200 }) });
  await expect(call.ended).rejects.toThrow("in vain for speech");
  expect(call.status).toBe("completed");
});

test("the end of a call lets go of everything a script waits for", async () => {
  answerWith("<Say>bye</Say>");
  const call = world.ring({ script: (line) => line.pause(3_600_000) });
  expect(await call.ended).toMatchObject({ status: "completed" });
  await expect(call.line.say("hello?")).rejects.toThrow("The call has ended.");
});
