import { expect, test } from "vitest";
import { PortTakenError } from "../../src/core/errors.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { newSid, openStream, post } from "./carrier-post.ts";
import { ANN, ended, GREETING, OUR_NUMBER, worlds } from "./world.ts";

const world = worlds();
const never = () => new Promise<never>(() => {});
const mind = ruleMind([]);

test("case 1: every accepted inbound webhook is answered within a second, connected when all is well", async () => {
  const ours = await world({ mind, speed: 1 });
  const { status, body, tookMs } = await post(ours, "/twilio/default/voice");
  expect({ status, connects: body.includes("<Connect><Stream") }).toEqual({ status: 200, connects: true });
  expect(tookMs).toBeLessThan(1_000);
});

test.each([
  ["the host", { host: { admit: never } }],
  ["the host's routing", { host: { route: never } }],
  ["the store's claims", { store: { ...memoryStore(), claim: never } }],
  ["the store's journal", { store: { ...memoryStore(), append: never } }],
])("case 1: an apology and a hang-up within a second while %s hangs", async (_what, parts) => {
  const ours = await world({ mind, speed: 2, ...parts });
  const { status, body, tookMs } = await post(ours, "/twilio/default/voice");
  expect(status).toBe(200);
  expect(body).toMatch(/<Say[^>]*>I am sorry, I cannot talk right now\..*<\/Say><Hangup\/>/);
  expect(tookMs).toBeLessThan(1_100); // the answer leaves by 950 ms; the socket adds its own
  expect((await ours.plugin.status()).liveCalls).toBe(0);
});

test("case 1: what becomes ready only after the apology does not bring the call back to life", async () => {
  const store = memoryStore();
  const slow = Promise.withResolvers<void>();
  const held = {
    ...store,
    append: (...order: Parameters<typeof store.append>) => slow.promise.then(() => store.append(...order)),
  };
  const ours = await world({ mind, speed: 5, store: held });
  const ending = ours.nextEnd();
  const sid = newSid();
  const first = await post(ours, "/twilio/default/voice", { CallSid: sid });
  slow.resolve();
  expect(await ending).toMatchObject({ endReason: "engine_error" });
  expect(ours.model.sessions).toHaveLength(0);
  const again = await post(ours, "/twilio/default/voice", { CallSid: sid });
  expect(again.body).toBe(first.body);
});

test("case 1: an engine that hangs is apologised for aloud, and the call ends", async () => {
  const ours = await world({ mind, speed: 8 });
  ours.model.faults.openAfterMs = 60_000;
  const ending = ours.nextEnd();
  const call = ours.phones.ring({ from: ANN, to: OUR_NUMBER });
  const report = await call.ended;
  expect(report.twiml.at(-1)).toContain("I cannot talk right now");
  expect(report.heardSegments.length).toBeGreaterThan(0);
  expect(await ending).toMatchObject({ endReason: "engine_error" });
});

test("case 2: an outbound call stands in the store before anything is dialled", async () => {
  const ours = await world({ mind });
  const seen: Promise<unknown>[] = [];
  ours.phones.addPerson(ANN, { outcome: "busy" });
  ours.phones.faults.rest = ({ method, path }) => {
    if (method === "POST" && path.endsWith("/Calls.json")) seen.push(ours.plugin.calls());
    return undefined;
  };
  const ending = ours.nextEnd();
  const { callId } = await ours.plugin.placeCall({ to: ANN });
  expect(await Promise.all(seen)).toMatchObject([{ calls: [{ callId, state: "dialing", to: ANN }] }]);
  await ending;
});

test("case 2: an unknown call id is answered with a spoken error, never with an empty document", async () => {
  const ours = await world({ mind });
  const outbound = { Direction: "outbound-api", From: OUR_NUMBER, To: ANN };
  for (const path of ["/twilio/default/voice?call=call_nobody_knows", "/twilio/default/voice"]) {
    const { status, body } = await post(ours, path, outbound);
    expect(status).toBe(200);
    expect(body).toMatch(/<Say[^>]*>I am sorry, this call cannot be connected\. Goodbye\.<\/Say><Hangup\/>/);
  }
});

test("case 3: the stream that the first answer offers takes an upgrade, signed by the carrier only", async () => {
  const ours = await world({ mind });
  const { body } = await post(ours, "/twilio/default/voice");
  expect(body).toContain('url="wss://voice.example.com/twilio/default/stream"');
  const socket = await openStream(ours);
  socket.close();
  await expect(openStream(ours, { signed: false })).rejects.toThrow("403");
});

test("case 3: a listener that is not there offers no stream: a start that fails leaves nothing answering", async () => {
  const ours = await world({ mind });
  const port = Number(new URL(ours.url).port);
  const config = {
    publicUrl: "https://other.example.com",
    listen: { port },
    store: "memory",
    accounts: { default: ours.account },
  };
  const second = ours.another({ config });
  await expect(second.start()).rejects.toThrow(PortTakenError);
  expect((await second.status()).listening).toBeUndefined();
  await expect(second.placeCall({ to: ANN })).rejects.toMatchObject({ code: "not_running" });
  await second.stop();
});

test.each([
  ["one after the other", false],
  ["at once", true],
])("case 14: the same voice webhook twice, %s, is answered the same and opens one stream", async (_how, atOnce) => {
  const ours = await world({ mind });
  const ending = ours.nextEnd();
  if (atOnce) ours.phones.faults.webhook = ({ kind }) => (kind === "voice" ? { copies: 2 } : undefined);
  const call = ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.waitForSpeech();
      const again = await post(ours, "/twilio/default/voice", { ...call.requests[0]?.params });
      expect(again.body).toBe(call.requests[0]?.body);
      await line.waitForQuiet();
    },
  });
  const report = await call.ended;
  expect(report.streamEvents.streams).toBe(1);
  expect(ours.model.sessions).toHaveLength(1);
  expect((await ending).words).toEqual([`agent: ${GREETING}`]);
  expect((await ours.plugin.calls()).calls).toHaveLength(1);
});

test("case 22: a second plugin on the port gets one clear error; the first goes on", async () => {
  const ours = await world({ mind, speed: 10 });
  const port = Number(new URL(ours.url).port);
  const config = {
    publicUrl: "https://voice.example.com",
    listen: { port },
    store: "memory",
    accounts: { default: ours.account },
  };
  const second = ours.another({ config });
  const error = await second.start().catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(PortTakenError);
  expect((error as Error).message).toContain(`127.0.0.1:${port} is taken by another process`);
  await second.stop();
  expect((await post(ours, "/twilio/default/voice")).status).toBe(200);
});

test("case 22: starting twice, also at once, is one listener and one runtime", async () => {
  const ours = await world({ mind });
  const second = ours.another();
  await Promise.all([second.start(), second.start()]);
  await second.start();
  const { listening, accounts } = await second.status();
  expect(listening?.port).toBeGreaterThan(0);
  expect(accounts).toHaveLength(1);
  await second.stop();
  await expect(second.start()).rejects.toMatchObject({ code: "not_running" });
});

test("case 42: the agent's first sound waits for the media, and the greeting is heard whole", async () => {
  const ours = await world({ mind });
  ours.phones.faults.stream = () => ({ connectDelayMs: 1_500 });
  const ending = ours.nextEnd();
  const call = ours.phones.ring({ from: ANN, to: OUR_NUMBER, script: (line) => line.hearReply() });
  const report = await call.ended;
  const session = await ours.model.nextSession();
  const produced = session.sent.filter(({ type }) => type === "response.output_audio.delta");
  const bytes = produced.reduce((sum, event) => sum + (event["bytes"] as number), 0);
  expect(Math.ceil(bytes / 160) * 160).toBe(report.streamEvents.mediaBytes);
  expect(report.streamEvents.log.map(({ event }) => event).slice(0, 2)).toEqual(["open", "media"]);
  const { words, callId } = await ending;
  expect(words).toEqual([`agent: ${GREETING}`]);
  const { transcript } = await ours.plugin.call(callId);
  expect(transcript[0]).toMatchObject({ cut: false, heardMs: Math.round(bytes / 8) });
  expect(await ended(ours.plugin, await ending)).toMatchObject({ endReason: "caller_hangup" });
});
