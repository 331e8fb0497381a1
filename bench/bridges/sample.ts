/**
 * The bridge that demos show: every message parsed and written anew, a mark for each piece of sound, no pacing. Its
 * faults are the usual ones as well: a response's start is remembered until somebody breaks in, so that `audio_end_ms`
 * counts from an earlier answer, and what the caller says before the model's socket is open is lost.
 */
import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import type { ModelAddress } from "../messages.ts";
import { listening, serveBridge } from "./process.ts";

function bridge(phone: WebSocket, { port, tls }: ModelAddress): void {
  const model = new WebSocket(`${tls ? "wss" : "ws"}://127.0.0.1:${port}/v1/realtime?model=sample`, {
    headers: { authorization: "Bearer sk-bench" },
  });
  let streamId: string | undefined;
  let latestMs = 0;
  let responseStartMs: number | undefined;
  let lastItem: string | undefined;
  let isReady = false;
  let greeted = false;
  const marks: string[] = [];
  const toModel = (event: object) => {
    if (model.readyState === WebSocket.OPEN) model.send(JSON.stringify(event));
  };
  const greet = () => {
    if (greeted || !isReady || streamId === undefined) return;
    greeted = true;
    toModel({ type: "response.create" });
  };

  model.on("open", () =>
    toModel({
      type: "session.update",
      session: {
        type: "realtime",
        output_modalities: ["audio"],
        instructions: "You answer the telephone of a small shop.",
        audio: {
          input: { format: { type: "audio/pcmu" }, turn_detection: { type: "server_vad" } },
          output: { format: { type: "audio/pcmu" }, voice: "marin" },
        },
      },
    }),
  );
  model.on("message", (data) => {
    const event = JSON.parse(String(data));
    if (event.type === "session.updated") {
      isReady = true;
      greet();
    } else if (event.type === "response.output_audio.delta") {
      phone.send(JSON.stringify({ event: "media", streamSid: streamId, media: { payload: event.delta } }));
      responseStartMs ??= latestMs;
      lastItem = event.item_id;
      phone.send(JSON.stringify({ event: "mark", streamSid: streamId, mark: { name: "responsePart" } }));
      marks.push("responsePart");
    } else if (event.type === "input_audio_buffer.speech_started") {
      if (marks.length === 0 || responseStartMs === undefined) return;
      const audio_end_ms = latestMs - responseStartMs;
      toModel({ type: "conversation.item.truncate", item_id: lastItem, content_index: 0, audio_end_ms });
      phone.send(JSON.stringify({ event: "clear", streamSid: streamId }));
      marks.length = 0;
      lastItem = undefined;
      responseStartMs = undefined;
    }
  });
  phone.on("message", (data) => {
    const message = JSON.parse(String(data));
    if (message.event === "media") {
      latestMs = Number(message.media.timestamp);
      toModel({ type: "input_audio_buffer.append", audio: message.media.payload });
    } else if (message.event === "start") {
      streamId = message.start.streamSid;
      greet();
    } else if (message.event === "mark") marks.shift();
  });
  phone.on("close", () => model.close());
  model.on("close", () => phone.close());
  for (const socket of [phone, model]) socket.on("error", () => {}); // `close` follows
}

serveBridge(async ({ model }) => {
  const server = createServer();
  const phones = new WebSocketServer({ server });
  phones.on("connection", (phone) => bridge(phone, model));
  return listening(server);
});
