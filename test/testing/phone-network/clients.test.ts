import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { TwilioRealtimeTransportLayer } from "@openai/agents-extensions";
import { expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { encodeMulaw } from "../../../src/audio/g711.ts";
import { connectStream, tone } from "./application.ts";
import { useWorld } from "./world.ts";

const world = useWorld();

/** A stand-in for the speech model that only knows what the test sends. */
async function speechModel() {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const audio: Buffer[] = [];
  const truncated: { item_id: string; audio_end_ms: number }[] = [];
  const connected = Promise.withResolvers<WebSocket>();
  const interrupted = Promise.withResolvers<void>();
  server.on("connection", (socket) => {
    socket.on("message", (data: Buffer) => {
      const message = JSON.parse(data.toString());
      if (message.type === "input_audio_buffer.append") audio.push(Buffer.from(message.audio, "base64"));
      if (message.type === "conversation.item.truncate") {
        truncated.push(message);
        interrupted.resolve();
      }
    });
    socket.send(JSON.stringify({ type: "session.created", event_id: "e0", session: { id: "s0" } }));
    connected.resolve(socket);
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    audio,
    truncated,
    connected: connected.promise,
    interrupted: interrupted.promise,
    async stop() {
      for (const socket of server.clients) socket.terminate();
      server.close();
      await once(server, "close");
    },
  };
}

test("the Twilio transport of OpenAI's agents carries a call: audio both ways, marks, and an interruption", async () => {
  const model = await speechModel();
  world.application.handlers["/voice"] = () => connectStream();
  const layers = Promise.withResolvers<TwilioRealtimeTransportLayer>();
  const events: string[] = [];
  world.application.onStream = (socket) => {
    const layer = new TwilioRealtimeTransportLayer({ twilioWebSocket: socket as never, url: model.url });
    layer.on("*", (event) => {
      if (event.type === "twilio_message") events.push((event["message"] as { event: string }).event);
    });
    layer.on("error", () => {});
    layer.connect({ apiKey: "test", url: model.url }).then(() => layers.resolve(layer), layers.reject);
  };
  const question = tone(300);
  const call = world.ring({
    script: async (line) => {
      await layers.promise;
      await line.play(question);
      await line.waitForSpeech();
      await line.pause(1_000);
      (await layers.promise).interrupt();
      await model.interrupted;
      await line.waitForQuiet(100);
    },
  });
  const upstream = await model.connected;
  await layers.promise;
  const delta = Buffer.from(encodeMulaw(tone(400))).toString("base64");
  const ids = { response_id: "r1", item_id: "i1", output_index: 0, content_index: 0 };
  upstream.send(JSON.stringify({ type: "response.created", event_id: "e1", response: { id: "r1" } }));
  for (let i = 0; i < 20; i++) {
    upstream.send(JSON.stringify({ type: "response.output_audio.delta", event_id: `d${i}`, delta, ...ids }));
  }
  const report = await call.ended;
  (await layers.promise).close();
  await model.stop();

  expect(report.errors).toEqual([]);
  expect(events.slice(0, 3)).toEqual(["connected", "start", "media"]);
  expect(events).toContain("mark");
  expect(Buffer.concat(model.audio).includes(Buffer.from(encodeMulaw(question)))).toBe(true);
  expect(report.streamEvents).toMatchObject({ media: 20, marks: 20, clears: 1, malformed: 0 });
  const heardMs = report.heardSegments.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
  expect(heardMs).toBeGreaterThanOrEqual(1_000);
  expect(heardMs).toBeLessThan(8_000);
  // What the client believes was heard is what the marks told it: whole pieces, one of 400 ms behind at most.
  const believedMs = model.truncated[0]?.audio_end_ms ?? 0;
  expect(believedMs).toBeGreaterThan(heardMs - 500);
  expect(believedMs).toBeLessThanOrEqual(heardMs + 100);
});
