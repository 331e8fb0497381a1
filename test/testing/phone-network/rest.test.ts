import { expect, test } from "vitest";
import { connectStream, PUBLIC_URL } from "./application.ts";
import { client as twilioClient } from "./client.ts";
import { AGENT_NUMBER, CALLER_NUMBER, useWorld } from "./world.ts";

const world = useWorld();

const client = (authToken = world.network.authToken) => twilioClient(world.network, authToken);

const statuses = () =>
  world.application.received
    .filter(({ path }) => path === "/status")
    .map(({ params }) => [Number(params["SequenceNumber"]), params["CallStatus"]])
    .sort(([a], [b]) => Number(a) - Number(b));

const order = {
  to: CALLER_NUMBER,
  from: AGENT_NUMBER,
  url: `${PUBLIC_URL}/voice`,
  statusCallback: `${PUBLIC_URL}/status`,
  statusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
};

test("a call that is placed rings, is answered, and ends when the person hangs up", async () => {
  world.application.handlers["/voice"] = () => connectStream();
  const streaming = Promise.withResolvers<void>();
  const fetchedLive = Promise.withResolvers<void>();
  world.application.onStream = () => streaming.resolve();
  world.network.addPerson(CALLER_NUMBER, {
    script: async (line) => {
      await fetchedLive.promise;
      await line.say("hi");
    },
  });
  const created = await client().calls.create(order);
  expect(created).toMatchObject({ status: "queued", direction: "outbound-api", to: CALLER_NUMBER, from: AGENT_NUMBER });
  expect(created.dateCreated).toBeInstanceOf(Date);
  const call = await world.network.nextCall(({ sid }) => sid === created.sid);
  await streaming.promise;
  expect((await client().calls(created.sid).fetch()).status).toBe("in-progress");
  fetchedLive.resolve();
  const report = await call.ended;

  expect(statuses()).toEqual([
    [0, "initiated"],
    [1, "ringing"],
    [2, "in-progress"],
    [3, "completed"],
  ]);
  const last = world.application.received.find(({ params }) => params["CallStatus"] === "completed")?.params;
  expect(last).toMatchObject({ CallbackSource: "call-progress-events", ApiVersion: "2010-04-01", CallSid: call.sid });
  expect(Number(last?.["CallDuration"])).toBe(Math.round(report.durationMs / 1000));
  expect(Math.abs(Date.parse(last?.["Timestamp"] ?? "") - Date.now())).toBeLessThan(600_000);
  const fetched = await client().calls(created.sid).fetch();
  expect(fetched).toMatchObject({ status: "completed", duration: last?.["CallDuration"] });
  expect(fetched.endTime).toBeInstanceOf(Date);
});

test("a live call is redirected by new TwiML, which ends its stream, and then hung up", async () => {
  world.application.handlers["/voice"] = () => connectStream("", "<Say>never</Say>");
  const streaming = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  world.application.onStream = (socket) => {
    streaming.resolve();
    socket.on("close", () => closed.resolve());
  };
  world.network.addPerson(CALLER_NUMBER);
  const { sid } = await client().calls.create(order);
  await streaming.promise;
  const [call] = world.network.calls;
  await client().calls(sid).update({ twiml: "<Response><Say>moved</Say><Pause length='60'/></Response>" });
  await closed.promise;
  await call?.line.hearReply({ quietMs: 100 });
  expect((await client().calls(sid).update({ status: "completed" })).status).toBe("completed");
  const report = await call?.ended;
  expect(report?.twiml).toHaveLength(2);
  expect(report?.heardSegments).toHaveLength(1);
  await expect(client().calls(sid).update({ status: "completed" })).rejects.toMatchObject({
    code: 21_220,
    status: 400,
  });
});

test.each([
  ["busy", "busy", "486"],
  ["reject", "busy", "603"],
  ["no-answer", "no-answer", "487"],
  ["invalid", "failed", "404"],
  ["failed", "failed", "503"],
] as const)("a person whose phone is %s makes the call %s", async (outcome, status, sip) => {
  world.network.addPerson(CALLER_NUMBER, { outcome });
  await client().calls.create({ ...order, timeout: 5 });
  const call = await world.network.nextCall();
  expect(await call.ended).toMatchObject({ status, durationMs: 0, heardSegments: [] });
  const last = world.application.received.find(({ params }) => params["CallStatus"] === status);
  expect(last?.params["SipResponseCode"]).toBe(sip);
  expect(world.application.received.some(({ path }) => path === "/voice")).toBe(false);
});

test("a ringing call that is cancelled never answers", async () => {
  world.network.addPerson(CALLER_NUMBER, { answerAfterMs: 60_000 });
  const { sid } = await client().calls.create(order);
  expect((await client().calls(sid).update({ status: "canceled" })).status).toBe("canceled");
  expect((await world.network.nextCall()).status).toBe("canceled");
});

test("a call is cut at its time limit", async () => {
  world.network.addPerson(CALLER_NUMBER);
  world.application.handlers["/voice"] = () => "<Response><Pause length='600'/></Response>";
  await client().calls.create({ ...order, timeLimit: 2 });
  const report = await (await world.network.nextCall()).ended;
  expect(report.status).toBe("completed");
  expect(report.durationMs).toBeGreaterThanOrEqual(2_000);
});

test("machine detection names who answered, before the first instructions or beside them", async () => {
  world.network.addPerson(CALLER_NUMBER, { answeredBy: "machine_start" });
  world.application.handlers["/amd"] = () => "";
  const calls = client().calls;
  await calls.create({ ...order, machineDetection: "Enable" });
  const [asked] = await world.application.arrived("/voice");
  expect(asked?.params["AnsweredBy"]).toBe("machine_start");

  world.application.handlers["/voice"] = () => "<Response><Pause length='60'/></Response>";
  const asyncAmd = { asyncAmd: "true", asyncAmdStatusCallback: `${PUBLIC_URL}/amd` };
  const { sid } = await calls.create({ ...order, machineDetection: "Enable", ...asyncAmd });
  const [told] = await world.application.arrived("/amd");
  expect(told?.params).toMatchObject({ CallSid: sid, AnsweredBy: "machine_start" });
  expect(world.application.received.find(({ params }) => params["CallSid"] === sid && !params["CallStatus"])).toBe(
    told,
  );
});

test.each([
  [{ to: "" }, 400, 21_201],
  [{ to: "12" }, 400, 21_211],
  [{ from: "12" }, 400, 21_212],
  [{ from: "+15559990000" }, 400, 21_210],
  [{ url: "nowhere" }, 400, 21_205],
  [{ record: true }, 501, 20_001],
])("an order with %o is refused with %i and code %i", async (change, status, code) => {
  const refused = client().calls.create({ ...order, ...change });
  await expect(refused).rejects.toMatchObject({ status, code, moreInfo: `https://www.twilio.com/docs/errors/${code}` });
  expect(world.network.calls).toEqual([]);
});

test("wrong credentials and unknown calls are refused", async () => {
  await expect(client("wrong").calls.create(order)).rejects.toMatchObject({ status: 401, code: 20_003 });
  await expect(client().calls("CA00").fetch()).rejects.toMatchObject({ status: 404, code: 20_404 });
});

test("calls and numbers are listed, page by page", async () => {
  for (let i = 0; i < 3; i++) await world.ring().ended;
  await expect(client().calls.list({ pageSize: 2 })).resolves.toHaveLength(3);
  await expect(client().calls.list({ status: "busy" })).resolves.toEqual([]);
  const [number] = await client().incomingPhoneNumbers.list({ phoneNumber: AGENT_NUMBER });
  expect(number).toMatchObject({ phoneNumber: AGENT_NUMBER, voiceUrl: `${PUBLIC_URL}/voice`, voiceMethod: "POST" });
  const { accountSid } = world.network;
  expect((await client().api.v2010.accounts(accountSid).fetch()).status).toBe("active");
});
