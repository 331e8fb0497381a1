import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { acceptWire, connectWire } from "../../bench/wire/socket.ts";

/** What a relay does to what it carries: each message in, any number of messages out. */
export interface RelayManners {
  /** `count` is 1 for the first frame of the caller's sound. */
  readonly toModel?: (append: Buffer, count: number) => readonly Buffer[];
  /** `count` is 1 for the first piece of the agent's sound. */
  readonly toPhone?: (media: Buffer, count: number) => readonly Buffer[];
  /** The caller has begun to speak: what goes to the phone and to the model. */
  readonly onSpeech?: (about: Playing) => { phone?: object; model?: object };
  /** Sent to the phone with each piece of the agent's sound. */
  readonly beside?: (streamId: string, count: number) => object | undefined;
}

/** What a relay knows of the sound it carries. */
export interface Playing {
  readonly streamId: string;
  readonly itemId: string;
  /** Milliseconds of the item that have played, by the relay's clock. */
  readonly playedMs: number;
  /** Milliseconds of the item that were sent. */
  readonly sentMs: number;
}

/** A small bridge whose faults a test chooses. Without any it is a good one. */
export async function startRelay(modelPort: number, manners: RelayManners = {}) {
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    const phone = acceptWire(request, socket, head);
    let streamId = "";
    const counts = { up: 0, down: 0 };
    let item = { id: "", sentMs: 0, playsUntilMs: 0 };
    void connectWire({ port: modelPort, path: "/v1/realtime" }).then((model) => {
      const json = (event: object) => Buffer.from(JSON.stringify(event));
      phone.listen({
        closed: () => model.close(),
        message(bytes) {
          const message = JSON.parse(bytes.toString());
          if (message.event === "start") {
            streamId = message.streamSid;
            model.send(json({ type: "response.create" }));
          }
          if (message.event !== "media") return;
          counts.up += 1;
          const append = json({ type: "input_audio_buffer.append", audio: message.media.payload });
          for (const out of manners.toModel?.(append, counts.up) ?? [append]) model.send(out);
        },
      });
      model.listen({
        closed: () => phone.close(),
        message(bytes) {
          const event = JSON.parse(bytes.toString());
          const now = performance.now();
          if (event.type === "response.output_audio.delta") {
            counts.down += 1;
            const ms = Buffer.from(event.delta, "base64").length / 8;
            if (event.item_id !== item.id) item = { id: event.item_id, sentMs: 0, playsUntilMs: item.playsUntilMs };
            item.sentMs += ms;
            item.playsUntilMs = Math.max(now, item.playsUntilMs) + ms;
            const media = json({ event: "media", streamSid: streamId, media: { payload: event.delta } });
            for (const out of manners.toPhone?.(media, counts.down) ?? [media]) phone.send(out);
            const beside = manners.beside?.(streamId, counts.down);
            if (beside) phone.send(json(beside));
          } else if (event.type === "input_audio_buffer.speech_started" && item.playsUntilMs > now) {
            const playedMs = item.sentMs - (item.playsUntilMs - now);
            const about = { streamId, itemId: item.id, playedMs, sentMs: item.sentMs };
            const said = (manners.onSpeech ?? breakOff)(about);
            item.playsUntilMs = now;
            if (said.phone) phone.send(json(said.phone));
            if (said.model) model.send(json(said.model));
          }
        },
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** What a bridge is to do when it is broken into. */
export const breakOff = ({ streamId, itemId, playedMs }: Playing) => ({
  phone: { event: "clear", streamSid: streamId },
  model: truncate(itemId, playedMs),
});

export const truncate = (itemId: string, endMs: number): object => ({
  type: "conversation.item.truncate",
  item_id: itemId,
  content_index: 0,
  audio_end_ms: Math.floor(endMs),
});
