import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { afterAll, afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { type Mind, ruleMind, type SpeechModel } from "../../../src/testing/speech-model/index.ts";
import { mulaw, sendAudio, speech, startModel, telephone } from "./kit.ts";

const { voice, ears, close } = speech();
let model: SpeechModel;
afterEach(() => model.stop());
afterAll(close);

/** OpenAI's own client, unmodified; it insists on TLS. */
async function official(mind: Mind): Promise<OpenAIRealtimeWS> {
  model = await startModel({ voice, ears, mind, tls: true, apiKey: "sk-test" });
  const client = new OpenAI({ apiKey: "sk-test", baseURL: model.url });
  const options = model.ca === undefined ? {} : { ca: model.ca };
  const socket = new OpenAIRealtimeWS({ model: "gpt-realtime-2.1", options }, client);
  socket.on("error", () => undefined); // errors are read as events
  await new Promise((resolve) => socket.once("session.created", resolve));
  return socket;
}
// biome-ignore lint/suspicious/noExplicitAny: one helper for events of every shape
const next = (socket: OpenAIRealtimeWS, type: string): Promise<any> =>
  new Promise((resolve) => {
    const take = (event: { type: string }): void => {
      if (event.type !== type) return;
      socket.off("event", take);
      resolve(event);
    };
    socket.on("event", take);
  });
const send = (socket: OpenAIRealtimeWS, event: object): void =>
  socket.send(event as Parameters<OpenAIRealtimeWS["send"]>[0]);

const HOURS = ruleMind([
  { when: "tool:opening_hours", say: ({ toolResult }) => `We are open ${toolResult?.output}.` },
  { when: /open/i, call: "opening_hours", args: { day: "Sunday" } },
]);
const HOURS_TOOL = {
  type: "function",
  name: "opening_hours",
  description: "When the shop is open.",
  parameters: { type: "object", properties: { day: { type: "string" } }, required: ["day"] },
};

test("OpenAIRealtimeWS over TLS: a spoken question, a tool call, a spoken answer", async () => {
  const socket = await official(HOURS);
  send(socket, telephone({ tools: [HOURS_TOOL] }));
  await next(socket, "session.updated");
  const called = next(socket, "response.function_call_arguments.done");
  const heard = next(socket, "conversation.item.input_audio_transcription.completed");
  const firstDone = next(socket, "response.done");
  sendAudio(
    { send: (event) => send(socket, event as object) },
    mulaw(await voice.speak("Are you open on Sunday?"), 800),
  );
  expect((await heard).transcript).toBe("Are you open on Sunday?");
  const call = await called;
  expect(JSON.parse(call.arguments)).toEqual({ day: "Sunday" });
  await firstDone;
  const item = { type: "function_call_output", call_id: call.call_id, output: "from ten to four" };
  send(socket, { type: "conversation.item.create", item });
  const done = next(socket, "response.done");
  send(socket, { type: "response.create" });
  expect((await done).response.output[0].content[0].transcript).toBe("We are open from ten to four.");
  socket.close();
});

test("OpenAIRealtimeWS over TLS: the caller breaks in, the client truncates at what was heard", async () => {
  const socket = await official(() => [
    { say: "This is a rather long story about the history of our house. It began in May." },
  ]);
  model.faults.stallAfterMs = 1_000; // it cannot be done before it is interrupted
  const question = await voice.speak("Stop please.");
  send(socket, telephone());
  await next(socket, "session.updated");
  const delta = next(socket, "response.output_audio.delta");
  send(socket, { type: "response.create" });
  const { item_id } = await delta;
  const done = next(socket, "response.done");
  sendAudio({ send: (event) => send(socket, event as object) }, mulaw(question));
  expect((await done).response.status_details.reason).toBe("turn_detected");
  const truncated = next(socket, "conversation.item.truncated");
  send(socket, { type: "conversation.item.truncate", item_id, content_index: 0, audio_end_ms: 80 });
  expect((await truncated).item_id).toBe(item_id);
  const refused = next(socket, "error");
  send(socket, { type: "conversation.item.truncate", item_id, content_index: 0, audio_end_ms: 9_250 });
  expect((await refused).error.message).toBe("Audio content of 80ms is already shorter than 9250ms");
  socket.close();
});

test("RealtimeSession of @openai/agents-realtime: a whole spoken turn with a function tool", async () => {
  model = await startModel({ voice, ears, mind: HOURS });
  const asked: string[] = [];
  const agent = new RealtimeAgent({
    name: "Nia",
    instructions: "You answer the telephone.",
    tools: [
      tool({
        name: "opening_hours",
        description: "When the shop is open.",
        parameters: z.object({ day: z.string() }),
        execute: async ({ day }) => {
          asked.push(day);
          return "from ten to four";
        },
      }),
    ],
  });
  const url = `${model.url.replace("http", "ws")}/realtime?model=gpt-realtime-2.1`;
  const transport = new OpenAIRealtimeWebSocket({
    url,
    createWebSocket: async ({ apiKey, url: target }) =>
      new WebSocket(target, {
        headers: { authorization: `Bearer ${apiKey}` },
      }) as unknown as globalThis.WebSocket as never,
  });
  const session = new RealtimeSession(agent, {
    transport,
    config: {
      audio: {
        input: { format: { type: "audio/pcmu" }, turnDetection: { type: "server_vad" } },
        output: { format: { type: "audio/pcmu" } },
      },
    },
  });
  const faults: unknown[] = [];
  let audioBytes = 0;
  session.on("error", (error) => faults.push(error));
  session.on("audio", ({ data }) => {
    audioBytes += data.byteLength;
  });
  const answered = new Promise<string>((resolve) => {
    session.on("agent_end", (_context, _agent, output) => {
      if (output.includes("open from")) resolve(output);
    });
  });
  await session.connect({ apiKey: "sk-any" });
  const bytes = mulaw(await voice.speak("Are you open on Sunday?"), 800);
  session.sendAudio(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer);
  expect(await answered).toBe("We are open from ten to four.");
  expect(asked).toEqual(["Sunday"]);
  expect(audioBytes / 8).toBeGreaterThan(1_000);
  expect(faults).toEqual([]);
  expect(model.sessions[0]?.transcript).toEqual([
    { role: "user", text: "Are you open on Sunday?" },
    { role: "assistant", text: "We are open from ten to four." },
  ]);
  session.close();
});
