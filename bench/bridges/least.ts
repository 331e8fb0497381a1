/**
 * How near to the raw relay a bridge can come that has the duties of ours: pacing, marks, truncation at what was heard,
 * transcripts, tools, an ear on every frame of the caller, and a journal that outlives a loss of power, our own store.
 * Each is done in the least way that still does it. What makes a product of it is absent: turn-taking of its own, the
 * guard against silence, flight records, limits, checks, recovery; also a secret mask.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { decodeBase64 } from "../../src/audio/base64.ts";
import { energyOf } from "../../src/audio/g711.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { heardText } from "../../src/core/transcript.ts";
import { sqliteStore } from "../../src/stores/index.ts";
import type { Store } from "../../src/stores/store.ts";
import { created } from "../../src/testing/store-events.ts";
import { TOOL } from "../generator/wire-events.ts";
import type { ModelAddress } from "../messages.ts";
import { acceptWire, connectWire, type WireSocket } from "../wire/socket.ts";
import { serveBridge } from "./process.ts";
import {
  APPEND_HEAD,
  APPEND_TAIL,
  BYTES_PER_MS,
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
} from "./relay-bytes.ts";

const TOOLS = [{ type: "function", name: TOOL, description: "When the shop is open.", parameters: { type: "object" } }];
const WITH_TOOLS = { ...SESSION, session: { ...SESSION.session, tools: TOOLS } };

const TICK_MS = 40;
const LEAD_MS = 300;
const PIECE_BYTES = 800;
const MARK_EVERY_MS = 400;

/** An item of the agent, from its first sound to its last. */
interface Item {
  readonly id: string;
  text: string;
  producedBytes: number;
  sentBytes: number;
  startsAtMs: number;
  isWhole: boolean;
}

let count = 0;
/** A frame of the caller, decoded: one at a time is listened to. */
const frame = new Uint8Array(1_600);

class LeastBridge {
  readonly #phone: WireSocket;
  readonly #store: Store;
  readonly #over: (bridge: LeastBridge) => void;
  readonly #callId = `least-${++count}`;
  readonly #items = new Map<string, Item>();
  #model: WireSocket | undefined;
  #streamId = "";
  #mediaHead: Buffer = Buffer.alloc(0);
  #kept: Buffer[] = [];
  #isReady = false;
  #greeted = false;
  #startedAtMs = 0;
  /** Sound that waits, by its item, oldest first. */
  #waiting: { readonly item: Item; readonly audio: Buffer; at: number }[] = [];
  #playsUntilMs = 0;
  #unmarkedMs = 0;
  #marks = 0;
  #floor = 0;
  #loudFrames = 0;
  #events: CallEvent[] = [created(this.#callId)];

  constructor(phone: WireSocket, model: ModelAddress, store: Store, over: (bridge: LeastBridge) => void) {
    this.#phone = phone;
    this.#store = store;
    this.#over = over;
    phone.listen({ message: (message) => this.#fromPhone(message), closed: () => this.#close() });
    void this.#open(model);
  }

  /** The shared beat. */
  tick(now: number): void {
    if (this.#waiting.length > 0) this.#pump(now);
    for (const item of this.#items.values()) {
      const endsAtMs = item.startsAtMs + item.producedBytes / BYTES_PER_MS;
      if (item.isWhole && item.sentBytes === item.producedBytes && endsAtMs <= now) this.#heard(item, endsAtMs);
    }
    if (this.#events.length === 0) return;
    void this.#store.append(this.#callId, this.#events.splice(0));
  }

  async #open(model: ModelAddress): Promise<void> {
    this.#model = await connectWire({ ...model, path: "/v1/realtime?model=least", role: "client-zero-mask" });
    this.#model.listen({ message: (message) => this.#fromModel(message), closed: () => this.#phone.close() });
    for (const audio of this.#kept.splice(0)) this.#model.sendParts(APPEND_HEAD, audio, APPEND_TAIL);
  }

  #close(): void {
    this.#model?.close();
    this.#over(this);
  }

  #note(event: CallEvent extends infer E ? (E extends { atMs: number } ? Omit<E, "atMs"> : never) : never): void {
    this.#events.push({ ...event, atMs: Date.now() } as CallEvent);
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
      this.#startedAtMs = performance.now();
      this.#streamId = event.start.streamSid;
      this.#mediaHead = mediaHead(this.#streamId);
      this.#greet();
    }
  }

  #append(audio: Buffer): void {
    if (this.#model) this.#model.sendParts(APPEND_HEAD, audio, APPEND_TAIL);
    else if (this.#kept.length < KEPT_FRAMES) this.#kept.push(Buffer.from(audio));
    const energy = energyOf(frame, 0, decodeBase64(audio, frame));
    this.#floor = energy < this.#floor ? energy : this.#floor + (energy - this.#floor) / 64;
    this.#loudFrames = energy > 8 * this.#floor ? this.#loudFrames + 1 : 0;
  }

  #fromModel(message: Buffer): void {
    if (startsWith(message, DELTA_EVENT)) {
      const audio = field(message, DELTA, DELTA_EVENT.length);
      const item = field(message, ITEM, DELTA_EVENT.length);
      if (audio && item) {
        this.#play(audio.toString("latin1"), item.toString("latin1"));
        return;
      }
    }
    const event = JSON.parse(message.toString("utf8"));
    switch (event.type) {
      case "session.created":
        this.#model?.send(Buffer.from(JSON.stringify(WITH_TOOLS)));
        return;
      case "session.updated":
        this.#isReady = true;
        this.#greet();
        return;
      case "response.output_audio.delta":
        this.#play(event.delta, event.item_id);
        return;
      case "response.output_audio.done":
        this.#item(event.item_id).isWhole = true;
        return;
      case "response.output_audio_transcript.delta":
        this.#item(event.item_id).text += event.delta;
        return;
      case "response.created":
        this.#note({ type: "response.started", responseId: event.response.id, cause: "turn" });
        return;
      case "response.done":
        this.#done(event.response);
        return;
      case "input_audio_buffer.speech_started":
        this.#note({ type: "speech.started", speaker: "caller" });
        this.#interrupt();
        return;
      case "input_audio_buffer.speech_stopped":
        this.#note({ type: "speech.stopped", speaker: "caller" });
        return;
      case "conversation.item.input_audio_transcription.completed":
        this.#said("caller", event.item_id, event.transcript, performance.now(), 0, false);
        return;
    }
  }

  #item(id: string): Item {
    let item = this.#items.get(id);
    if (!item) {
      item = { id, text: "", producedBytes: 0, sentBytes: 0, startsAtMs: 0, isWhole: false };
      this.#items.set(id, item);
    }
    return item;
  }

  #greet(): void {
    if (this.#greeted || !this.#isReady || this.#streamId === "") return;
    this.#greeted = true;
    this.#model?.send(Buffer.from('{"type":"response.create"}'));
  }

  #play(base64: string, itemId: string): void {
    const item = this.#item(itemId);
    const audio = Buffer.from(base64, "base64");
    item.producedBytes += audio.length;
    this.#waiting.push({ item, audio, at: 0 });
    this.#pump(performance.now());
  }

  /** Sends what is due: pieces of 100 ms, until 300 ms lie at the phone. */
  #pump(now: number): void {
    let playsUntilMs = Math.max(now, this.#playsUntilMs);
    for (let next = this.#waiting[0]; next && playsUntilMs - now < LEAD_MS; next = this.#waiting[0]) {
      const { item, audio, at } = next;
      const piece = audio.subarray(at, at + PIECE_BYTES);
      if (item.sentBytes === 0) item.startsAtMs = playsUntilMs;
      item.sentBytes += piece.length;
      next.at += piece.length;
      if (next.at === audio.length) this.#waiting.shift();
      this.#phone.sendParts(this.#mediaHead, Buffer.from(piece.toString("base64"), "latin1"), MEDIA_TAIL);
      playsUntilMs += piece.length / BYTES_PER_MS;
      this.#unmarkedMs += piece.length / BYTES_PER_MS;
    }
    this.#playsUntilMs = playsUntilMs;
    if (this.#unmarkedMs < MARK_EVERY_MS) return;
    this.#unmarkedMs = 0;
    const name = String(++this.#marks);
    this.#phone.send(Buffer.from(`{"event":"mark","streamSid":"${this.#streamId}","mark":{"name":"${name}"}}`));
  }

  #interrupt(): void {
    const now = performance.now();
    if (this.#playsUntilMs <= now && this.#waiting.length === 0) return;
    this.#phone.send(Buffer.from(`{"event":"clear","streamSid":"${this.#streamId}"}`));
    this.#waiting = [];
    this.#playsUntilMs = 0;
    for (const item of this.#items.values()) if (item.producedBytes > 0) this.#heard(item, now);
  }

  /** An item is over for the caller's ears; the model is told what of it was heard. */
  #heard(item: Item, untilMs: number): void {
    this.#items.delete(item.id);
    const producedMs = item.producedBytes / BYTES_PER_MS;
    const heardMs = item.sentBytes === 0 ? 0 : Math.min(producedMs, Math.max(0, Math.floor(untilMs - item.startsAtMs)));
    const isCut = heardMs < producedMs;
    this.#said("agent", item.id, heardText(item.text, heardMs, producedMs), item.startsAtMs, heardMs, isCut);
    if (!isCut) return;
    this.#note({ type: "playout.cut", itemId: item.id, heardMs, producedMs });
    const item_id = item.id;
    const cut =
      heardMs === 0
        ? { type: "conversation.item.delete", item_id }
        : { type: "conversation.item.truncate", item_id, content_index: 0, audio_end_ms: heardMs };
    this.#model?.send(Buffer.from(JSON.stringify(cut)));
  }

  #said(speaker: "caller" | "agent", id: string, text: string, atMs: number, heardMs: number, cut: boolean): void {
    if (text === "") return;
    const startMs = Math.max(0, Math.round(atMs - this.#startedAtMs));
    this.#note({ type: "transcript.added", entry: { id, speaker, text, startMs, heardMs, cut } });
  }

  // biome-ignore lint/suspicious/noExplicitAny: what the wire brings
  #done(response: any): void {
    this.#note({ type: "response.ended", responseId: response.id, status: response.status });
    for (const item of response.output ?? []) if (item.type === "function_call") void this.#call(item);
  }

  async #call({ call_id: toolCallId, name, arguments: argumentsJson }: Record<string, string>): Promise<void> {
    const event = { type: "tool.called", toolCallId, name, argumentsJson, atMs: Date.now() } as CallEvent;
    await this.#store.append(this.#callId, [...this.#events.splice(0), event]);
    const output = JSON.stringify({ from: "10:00", to: "16:00" });
    const item = { type: "function_call_output", call_id: toolCallId, output };
    this.#model?.send(Buffer.from(JSON.stringify({ type: "conversation.item.create", item })));
    this.#model?.send(Buffer.from('{"type":"response.create"}'));
    this.#note({ type: "tool.finished", toolCallId: toolCallId as string, ok: true, durationMs: 0 });
  }
}

serveBridge(async ({ model, workDir }) => {
  const store = sqliteStore({ path: join(workDir, `least-${process.pid}.sqlite`), durability: "full" });
  await store.start();
  const bridges = new Set<LeastBridge>();
  const beat = setInterval(() => {
    const now = performance.now();
    for (const bridge of bridges) bridge.tick(now);
  }, TICK_MS);
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    const phone = acceptWire(request, socket, head);
    bridges.add(new LeastBridge(phone, model, store, (bridge) => bridges.delete(bridge)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    door: "socket",
    async stop() {
      clearInterval(beat);
      await new Promise((resolve) => server.close(resolve));
      await store.stop();
    },
  };
});
