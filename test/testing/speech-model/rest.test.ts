import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import OpenAI from "openai";
import { afterEach, expect, test } from "vitest";
import { type SpeechModel, signWebhook } from "../../../src/testing/speech-model/index.ts";
import { connect, startModel } from "./kit.ts";

const SECRET = `whsec_${Buffer.from("a secret of the tests").toString("base64")}`;
let model: SpeechModel;
afterEach(() => model.stop());

const start = async (): Promise<OpenAI> => {
  model = await startModel({ apiKey: "sk-test" });
  return new OpenAI({ apiKey: "sk-test", baseURL: model.url, maxRetries: 0 });
};

/** An endpoint that takes webhooks and answers `status`. */
async function endpoint(status = 200) {
  const taken = Promise.withResolvers<{ body: string; headers: Record<string, string> }>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      response.writeHead(status).end();
      taken.resolve({ body: Buffer.concat(chunks).toString(), headers: request.headers as Record<string, string> });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhook`,
    taken: taken.promise,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

test("a call by SIP: the webhook is one that OpenAI's own client unwraps, and its reject reaches the call", async () => {
  const client = await start();
  const hook = await endpoint();
  try {
    const sipHeaders = [{ name: "From", value: "sip:+15550001111@example.test" }];
    const { callId, webhookStatus } = await model.ringSip({ webhookUrl: hook.url, secret: SECRET, sipHeaders });
    expect(webhookStatus).toBe(200);
    const { body, headers } = await hook.taken;
    const event = await client.webhooks.unwrap(body, headers, SECRET);
    expect(event).toMatchObject({ type: "realtime.call.incoming", data: { call_id: callId, sip_headers: sipHeaders } });
    await expect(client.webhooks.unwrap(`${body} `, headers, SECRET)).rejects.toThrow(/signature/i);
    await expect(
      client.webhooks.unwrap(body, headers, `whsec_${Buffer.from("x").toString("base64")}`),
    ).rejects.toThrow();

    await client.realtime.calls.reject(callId, { status_code: 486 });
    expect(model.sipCall(callId)).toMatchObject({ state: "rejected", statusCode: 486 });
    await expect(client.realtime.calls.reject(callId)).rejects.toMatchObject({
      status: 404,
      code: "call_id_not_found",
    });
  } finally {
    await hook.close();
  }
});

test("a webhook is signed over its id, its time and exactly its body", async () => {
  await start();
  const parts = { id: "wh_1", event: { type: "x" }, secret: SECRET, timestamp: Math.floor(Date.now() / 1_000) };
  const { body, headers } = signWebhook(parts);
  const other = signWebhook({ ...parts, id: "wh_2" });
  expect(other.headers["webhook-signature"]).not.toBe(headers["webhook-signature"]);
  const client = new OpenAI({ apiKey: "k" });
  await client.webhooks.verifySignature(body, { ...headers }, SECRET);
  await expect(
    client.webhooks.verifySignature(body, { ...other.headers, "webhook-id": "wh_1" }, SECRET),
  ).rejects.toThrow();
});

test("an accepted call has a sideband; the model's words go to the phone, their playout to the socket", async () => {
  const client = await start();
  const hook = await endpoint();
  try {
    const { callId } = await model.ringSip({ webhookUrl: hook.url, secret: SECRET });
    await expect(connectSideband(callId)).rejects.toThrow(/404/);
    await client.realtime.calls.accept(callId, {
      type: "realtime",
      model: "gpt-realtime-2.1",
      instructions: "Be kind.",
    });
    expect(model.sipCall(callId)?.state).toBe("accepted");
    const side = await connectSideband(callId);
    expect((await side.next("session.created")).session).toMatchObject({
      instructions: "Be kind.",
      model: "gpt-realtime-2.1",
    });
    side.send({
      type: "response.create",
      response: {
        instructions:
          'Say "Hello, you have reached the very long greeting of Nia, which lists every person who works here, every hour of every day of the week, and all that you ever wanted to know about tables, chairs, lamps and other furniture of this house."',
      },
    });
    await side.next("output_audio_buffer.started");
    await side.next("response.done");
    expect(side.types()).not.toContain("response.output_audio.delta");
    const voice = Int16Array.from({ length: 1_600 }, (_, i) => (i % 20 < 10 ? 9_000 : -9_000));
    side.session.hear(voice);
    await side.next("output_audio_buffer.cleared");
    const produced = side.session.sent.filter((event) => event.type === "response.output_audio.delta");
    const producedMs = produced.reduce((sum, event) => sum + (event["bytes"] as number) / 48, 0);
    expect((await side.next("conversation.item.truncated")).audio_end_ms).toBeLessThan(producedMs);

    await client.realtime.calls.refer(callId, { target_uri: "tel:+15550009999" });
    expect(model.sipCall(callId)?.referredTo).toEqual(["tel:+15550009999"]);
    await client.realtime.calls.hangup(callId);
    await side.session.closed;
    expect(model.sipCall(callId)?.state).toBe("hungup");
    await expect(connectSideband(callId)).rejects.toThrow(/404/);
  } finally {
    await hook.close();
  }
});

const connectSideband = (callId: string) => connect(model, `call_id=${callId}`, "sk-test");

test("accept refuses the sizes of server_vad, as the real one does for SIP", async () => {
  const client = await start();
  const hook = await endpoint(503);
  try {
    const { callId, webhookStatus } = await model.ringSip({ webhookUrl: hook.url, secret: SECRET });
    expect(webhookStatus).toBe(503);
    const audio = { input: { turn_detection: { type: "server_vad" as const, threshold: 0.4 } } };
    await expect(
      client.realtime.calls.accept(callId, { type: "realtime", model: "gpt-realtime-2.1", audio }),
    ).rejects.toMatchObject({ status: 400, code: "unknown_parameter" });
    expect(model.sipCall(callId)?.state).toBe("ringing");
  } finally {
    await hook.close();
  }
});

test("models and client secrets; a secret opens a session; a wrong key opens nothing", async () => {
  const client = await start();
  const ids = (await client.models.list()).data.map(({ id }) => id);
  expect(ids).toContain("gpt-realtime-2.1");
  expect((await client.models.retrieve("gpt-realtime-2.1")).id).toBe("gpt-realtime-2.1");
  await expect(client.models.retrieve("gpt-9")).rejects.toMatchObject({ status: 404, code: "model_not_found" });
  const { value } = await client.realtime.clientSecrets.create({
    session: { type: "realtime", model: "gpt-realtime-2.1" },
  });
  const session = await connect(model, "model=gpt-realtime-2.1", value);
  await session.next("session.created");
  const stranger = new OpenAI({ apiKey: "sk-wrong", baseURL: model.url, maxRetries: 0 });
  await expect(stranger.models.list()).rejects.toMatchObject({ status: 401, code: "invalid_api_key" });
  expect(model.requests.map(({ path, status }) => [path, status])).toEqual([
    ["/v1/models", 200],
    ["/v1/models/gpt-realtime-2.1", 200],
    ["/v1/models/gpt-9", 404],
    ["/v1/realtime/client_secrets", 200],
    ["/v1/models", 401],
  ]);
});
