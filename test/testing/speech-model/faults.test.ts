import { once } from "node:events";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Faults, SpeechModel, SpeechModelOptions } from "../../../src/testing/speech-model/index.ts";
import { type Client, connect, startModel } from "./kit.ts";

let model: SpeechModel;
afterEach(() => model.stop());
const start = async (faults: Faults, options: Partial<SpeechModelOptions> = {}): Promise<Client> => {
  model = await startModel({ faults, ...options });
  return connect(model);
};
const refusal = (query = "model=gpt-realtime-2.1", headers: Record<string, string> = { authorization: "Bearer k" }) =>
  new Promise<{ status: number | undefined; code: string }>((resolve, reject) => {
    const socket = new WebSocket(`${model.url.replace("http", "ws")}/realtime?${query}`, { headers });
    socket.on("error", () => undefined);
    socket.once("open", () => reject(new Error("It was let in.")));
    socket.once("unexpected-response", (_request, response) => {
      response.once("data", (body: Buffer) => {
        resolve({ status: response.statusCode, code: JSON.parse(body.toString()).error.code });
        socket.terminate();
      });
    });
  });

test("an upgrade is refused: by fault, without a key, with a wrong one, with a bad query", async () => {
  model = await startModel({ apiKey: "sk-right" });
  expect(await refusal("model=x", {})).toEqual({ status: 401, code: "invalid_api_key" });
  expect(await refusal()).toEqual({ status: 401, code: "invalid_api_key" });
  const right = { authorization: "Bearer sk-right" };
  expect(await refusal("", right)).toMatchObject({ status: 400 });
  expect(await refusal("call_id=rtc_none", right)).toEqual({ status: 404, code: "call_id_not_found" });
  expect(await refusal("model=x", { ...right, "openai-beta": "realtime=v1" })).toMatchObject({ status: 400 });
  model.faults.refuseUpgrade = { status: 503, code: "overloaded" };
  expect(await refusal("model=x", right)).toEqual({ status: 503, code: "overloaded" });
  expect(model.refusals).toEqual([401, 401, 400, 404, 400, 503]);
  expect(model.sessions).toEqual([]);
});

test("a model that does not exist is told so, then the socket closes", async () => {
  model = await startModel();
  const client = await connect(model, "model=gpt-9");
  expect((await client.next("error")).error.code).toBe("model_not_found");
  await client.session.closed;
});

test("the socket opens late", async () => {
  model = await startModel({ faults: { openAfterMs: 800 } });
  const before = model.clock.now();
  await connect(model);
  expect(model.clock.now() - before).toBeGreaterThanOrEqual(790);
});

test("no session.created comes, yet the session works", async () => {
  const client = await start({ noSessionCreated: true });
  client.send({ type: "input_audio_buffer.clear" });
  await client.next("input_audio_buffer.cleared");
  expect(client.types()).toEqual(["input_audio_buffer.cleared"]);
});

test("the socket is cut without a goodbye", async () => {
  const client = await start({ dropAfterMs: 200 });
  const [code] = await once(client.socket, "close");
  expect(code).toBe(1006);
});

test("a session expires with its own error, then closes", async () => {
  const client = await start({ expireAfterMs: 400 });
  expect((await client.next("error")).error.code).toBe("session_expired");
  const [code] = await once(client.socket, "close");
  expect(code).toBe(1001);
  expect(await client.session.closed).toBe("expired");
});

test("responses fail with the error that is wished for, and work again afterwards", async () => {
  const client = await start({ failResponses: { code: "rate_limit_exceeded" } });
  client.send({ type: "response.create" });
  expect((await client.next("response.done")).response).toMatchObject({
    status: "failed",
    status_details: { type: "failed", error: { code: "rate_limit_exceeded" } },
  });
  delete model.faults.failResponses;
  client.send({ type: "response.create" });
  expect((await client.next("response.done")).response.status).toBe("completed");
});

test("a mute response says nothing until it is cancelled; a stalled one ends in the middle", async () => {
  const client = await start({ muteResponses: true });
  client.send({ type: "response.create" });
  await client.next("response.created");
  client.send({ type: "response.cancel" });
  expect((await client.next("response.done")).response).toMatchObject({ status: "cancelled", output: [] });
  model.faults.muteResponses = false;
  model.faults.stallAfterMs = 300;
  client.send({ type: "response.create" });
  await client.next("response.output_audio.delta");
  await client.next("response.output_audio.delta");
  client.send({ type: "response.cancel" });
  const stalled = await client.next("response.done");
  expect(stalled.response.status).toBe("cancelled");
  expect(client.session.items.at(-1)?.audioMs).toBe(300);
});

test("a cancel that comes before response.created finds nothing, and the response comes all the same", async () => {
  const client = await start({ createdAfterMs: 200 });
  client.send({ type: "response.create" });
  client.send({ type: "response.cancel" });
  expect((await client.next("error")).error.code).toBe("response_cancel_not_active");
  expect((await client.next("response.done")).response.status).toBe("completed");
});

test("a dead model takes everything and answers nothing", async () => {
  const client = await start({});
  await client.next("session.created");
  model.faults.dead = true;
  client.send({ type: "response.create" });
  await client.session.untilReceived("response.create");
  const pong = once(client.socket, "pong");
  client.socket.ping();
  await pong;
  expect(client.types()).toEqual(["session.created"]);
});

test("odd JSON is the same events in a shape that a byte scanner does not expect", async () => {
  const client = await start({ oddJson: true }, { mind: () => [{ say: "Grüße / hello." }] });
  client.send({ type: "response.create" });
  const done = await client.next("response.done");
  expect(done.response.output[0].content[0].transcript).toBe("Grüße / hello.");
  const delta = client.texts.find((text) => text.includes("response.output_audio.delta")) as string;
  expect(delta).toMatch(/^\{\n "event_id": /);
  expect(client.texts.at(-1)).toContain("Gr\\u00fc\\u00dfe \\/ hello.");
});

test("a transcription fails, the conversation goes on", async () => {
  const client = await start({ failTranscriptions: true });
  client.send({
    type: "session.update",
    session: {
      type: "realtime",
      audio: { input: { format: { type: "audio/pcmu" }, transcription: { model: "gpt-transcribe" } } },
    },
  });
  client.send({ type: "input_audio_buffer.append", audio: Buffer.alloc(1_600, 0x20).toString("base64") });
  client.send({ type: "input_audio_buffer.commit" });
  expect((await client.next("conversation.item.input_audio_transcription.failed")).error.code).toBe(
    "audio_unintelligible",
  );
});

test("stopping ends every session and frees the port at once", async () => {
  const client = await start({});
  client.send({ type: "response.create" });
  await client.next("response.created");
  const closed = once(client.socket, "close");
  await model.stop();
  await closed;
  await expect(fetch(`${model.url}/models`)).rejects.toThrow();
});
