/**
 * The measure of all bridges: the least that a relay in Node can do. What comes is passed on at once, with no pacing;
 * `clear` and `truncate` by its own playout clock.
 */
import { createServer } from "node:http";
import { decodedBytes } from "../../src/audio/base64.ts";
import { acceptWire } from "../wire/socket.ts";
import { listening, serveBridge } from "./process.ts";
import { BYTES_PER_MS, Relay, startsWith } from "./relay.ts";

const TRANSCRIPT_DELTA = Buffer.from('{"type":"response.output_audio_transcript.delta"');

class RawRelay extends Relay {
  #item = "";
  #itemBytes = 0;
  #playsUntilMs = 0;

  protected override passesOver(message: Buffer): boolean {
    return startsWith(message, TRANSCRIPT_DELTA);
  }

  protected override play(base64: Buffer, item: string): void {
    this.sendAudio(base64);
    const bytes = decodedBytes(base64);
    if (item !== this.#item) {
      this.#item = item;
      this.#itemBytes = 0;
    }
    this.#itemBytes += bytes;
    this.#playsUntilMs = Math.max(performance.now(), this.#playsUntilMs) + bytes / BYTES_PER_MS;
  }

  protected override interrupt(): void {
    const left = this.#playsUntilMs - performance.now();
    if (left <= 0) return;
    this.tellPhone("clear");
    const heardMs = Math.max(0, Math.floor(this.#itemBytes / BYTES_PER_MS - left));
    this.tellModel({
      type: "conversation.item.truncate",
      item_id: this.#item,
      content_index: 0,
      audio_end_ms: heardMs,
    });
    this.#playsUntilMs = 0;
  }
}

serveBridge(({ model }) => {
  const server = createServer();
  server.on("upgrade", (request, socket, head) => new RawRelay({ phone: acceptWire(request, socket, head), model }));
  return listening(server);
});
