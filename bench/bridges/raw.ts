/**
 * The measure of all bridges: the least that a relay in Node can do. Own framing on TCP sockets, a byte scan for the
 * two hot messages, one buffer for each that is sent, no pacing; `clear` and `truncate` by its own playout clock.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { ModelAddress } from "../messages.ts";
import { acceptWire, connectWire, type WireSocket } from "../wire/socket.ts";
import { serveBridge } from "./process.ts";
import {
  APPEND_HEAD,
  APPEND_TAIL,
  BYTES_PER_MS,
  bytesOf,
  DELTA,
  DELTA_EVENT,
  field,
  ITEM,
  KEPT_FRAMES,
  MEDIA,
  MEDIA_TAIL,
  mediaHead,
  PAYLOAD,
  SESSION,
  startsWith,
  TRANSCRIPT_DELTA,
} from "./relay-bytes.ts";

class Relay {
  readonly #phone: WireSocket;
  #model: WireSocket | undefined;
  #streamId = "";
  #mediaHead: Buffer = Buffer.alloc(0);
  #kept: Buffer[] = [];
  #item = "";
  #itemBytes = 0;
  #playsUntilMs = 0;
  #isReady = false;
  #greeted = false;

  constructor(phone: WireSocket, model: ModelAddress) {
    this.#phone = phone;
    phone.listen({ message: (message) => this.#fromPhone(message), closed: () => this.#model?.close() });
    void this.#open(model);
  }

  async #open(model: ModelAddress): Promise<void> {
    this.#model = await connectWire({ ...model, path: "/v1/realtime?model=raw", role: "client-zero-mask" });
    this.#model.listen({ message: (message) => this.#fromModel(message), closed: () => this.#phone.close() });
    for (const audio of this.#kept.splice(0)) this.#model.sendParts(APPEND_HEAD, audio, APPEND_TAIL);
  }

  #fromPhone(message: Buffer): void {
    if (startsWith(message, MEDIA)) {
      const audio = field(message, PAYLOAD, MEDIA.length);
      if (audio) {
        this.#append(audio);
        return;
      }
    }
    const event = JSON.parse(message.toString("latin1"));
    if (event.event === "media") this.#append(Buffer.from(event.media.payload, "latin1"));
    else if (event.event === "stop") this.#model?.close();
    else if (event.event === "start") {
      this.#streamId = event.start.streamSid;
      this.#mediaHead = mediaHead(this.#streamId);
      this.#greet();
    }
  }

  #append(audio: Buffer): void {
    if (this.#model) this.#model.sendParts(APPEND_HEAD, audio, APPEND_TAIL);
    else if (this.#kept.length < KEPT_FRAMES) this.#kept.push(Buffer.from(audio));
  }

  #fromModel(message: Buffer): void {
    if (startsWith(message, DELTA_EVENT)) {
      const audio = field(message, DELTA, DELTA_EVENT.length);
      const item = field(message, ITEM, DELTA_EVENT.length);
      if (audio && item) {
        this.#play(audio, item.toString("latin1"));
        return;
      }
    }
    if (startsWith(message, TRANSCRIPT_DELTA)) return;
    const event = JSON.parse(message.toString("utf8"));
    switch (event.type) {
      case "session.created":
        this.#model?.send(Buffer.from(JSON.stringify(SESSION)));
        return;
      case "session.updated":
        this.#isReady = true;
        this.#greet();
        return;
      case "response.output_audio.delta":
        this.#play(Buffer.from(event.delta, "latin1"), event.item_id);
        return;
      case "input_audio_buffer.speech_started":
        this.#interrupt();
        return;
    }
  }

  #greet(): void {
    if (this.#greeted || !this.#isReady || this.#streamId === "") return;
    this.#greeted = true;
    this.#model?.send(Buffer.from('{"type":"response.create"}'));
  }

  #play(base64: Buffer, item: string): void {
    this.#phone.sendParts(this.#mediaHead, base64, MEDIA_TAIL);
    const bytes = bytesOf(base64);
    if (item !== this.#item) {
      this.#item = item;
      this.#itemBytes = 0;
    }
    this.#itemBytes += bytes;
    this.#playsUntilMs = Math.max(performance.now(), this.#playsUntilMs) + bytes / BYTES_PER_MS;
  }

  #interrupt(): void {
    const left = this.#playsUntilMs - performance.now();
    if (left <= 0) return;
    this.#phone.send(Buffer.from(`{"event":"clear","streamSid":"${this.#streamId}"}`));
    const heardMs = Math.max(0, Math.floor(this.#itemBytes / BYTES_PER_MS - left));
    const truncate = {
      type: "conversation.item.truncate",
      item_id: this.#item,
      content_index: 0,
      audio_end_ms: heardMs,
    };
    this.#model?.send(Buffer.from(JSON.stringify(truncate)));
    this.#playsUntilMs = 0;
  }
}

serveBridge(async ({ model }) => {
  const server = createServer();
  server.on("upgrade", (request, socket, head) => new Relay(acceptWire(request, socket, head), model));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    door: "socket",
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
});
