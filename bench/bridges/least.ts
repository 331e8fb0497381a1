/**
 * How near to the raw relay a bridge can come that has the duties of ours: pacing, marks, truncation at what was heard,
 * transcripts, tools, an ear on every frame of the caller, and a journal that outlives a loss of power, our own store.
 * Each is done in the least way that still does it. What makes a product of it is absent: turn-taking of its own, the
 * guard against silence, flight records, limits, checks, recovery; also a secret mask.
 */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { join } from "node:path";
import type { RealtimeConversationItemFunctionCall, RealtimeServerEvent } from "openai/resources/realtime/realtime";
import { FrameDecoder } from "../../src/audio/base64.ts";
import { energyOf } from "../../src/audio/g711.ts";
import type { Unstamped } from "../../src/calls/journal.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { heardText, type TranscriptEntry } from "../../src/core/transcript.ts";
import { sqliteStore } from "../../src/stores/index.ts";
import type { Store } from "../../src/stores/store.ts";
import { created } from "../../src/testing/store-events.ts";
import { TOOL } from "../generator/wire-events.ts";
import { acceptWire } from "../wire/socket.ts";
import { listening, serveBridge } from "./process.ts";
import { BYTES_PER_MS, Relay, type RelayParts } from "./relay.ts";

const TOOLS = [{ type: "function", name: TOOL, description: "When the shop is open.", parameters: { type: "object" } }];

const TICK_MS = 40;
const LEAD_MS = 300;
const PIECE_BYTES = 800;
const MARK_EVERY_MS = 400;
/** Somebody speaks who is so much above the line's own noise, for so many frames. */
const ABOVE_FLOOR = 8;
const SPEECH_FRAMES = 3;

/** An item of the agent, from its first sound to its last. */
interface Item {
  readonly id: string;
  text: string;
  producedBytes: number;
  sentBytes: number;
  startsAtMs: number;
  isWhole: boolean;
}

interface LeastParts extends Omit<RelayParts, "session"> {
  readonly store: Store;
  readonly decoder: FrameDecoder;
  readonly onClosed: (relay: LeastRelay) => void;
}

class LeastRelay extends Relay {
  readonly #parts: LeastParts;
  readonly #callId = `least-${randomUUID()}`;
  readonly #items = new Map<string, Item>();
  readonly #startedAtMs = performance.now();
  /** Sound that waits, by its item, oldest first. */
  #waiting: { readonly item: Item; readonly audio: Buffer; at: number }[] = [];
  #playsUntilMs = 0;
  #unmarkedMs = 0;
  #marks = 0;
  #floor = 0;
  #loudFrames = 0;
  /** When the caller last began to speak, by the ear. */
  #spokeFromMs = this.#startedAtMs;
  #events: CallEvent[] = [created(this.#callId)];

  constructor(parts: LeastParts) {
    super({ ...parts, session: { tools: TOOLS } });
    this.#parts = parts;
  }

  /** The shared beat. */
  tick(now: number): void {
    if (this.#waiting.length > 0) this.#pump(now);
    for (const item of this.#items.values()) {
      const endsAtMs = item.startsAtMs + item.producedBytes / BYTES_PER_MS;
      if (item.isWhole && item.sentBytes === item.producedBytes && endsAtMs <= now) this.#over(item, endsAtMs);
    }
    if (this.#events.length > 0) void this.#parts.store.append(this.#callId, this.#events.splice(0));
  }

  protected override closed(): void {
    super.closed();
    this.#parts.onClosed(this);
  }

  protected override heard(base64: Buffer): void {
    const energy = energyOf(this.#parts.decoder.decode(base64));
    this.#floor = energy < this.#floor ? energy : this.#floor + (energy - this.#floor) / 64;
    this.#loudFrames = energy > ABOVE_FLOOR * this.#floor ? this.#loudFrames + 1 : 0;
    if (this.#loudFrames === SPEECH_FRAMES) this.#spokeFromMs = performance.now();
  }

  protected override play(base64: Buffer, itemId: string): void {
    const item = this.#item(itemId);
    const audio = Buffer.from(base64.toString("latin1"), "base64");
    item.producedBytes += audio.length;
    this.#waiting.push({ item, audio, at: 0 });
    this.#pump(performance.now());
  }

  protected override interrupt(): void {
    this.#note({ type: "speech.started", speaker: "caller" });
    const now = performance.now();
    if (this.#playsUntilMs <= now && this.#waiting.length === 0) return;
    this.tellPhone("clear");
    this.#waiting = [];
    this.#playsUntilMs = 0;
    for (const item of this.#items.values()) if (item.producedBytes > 0) this.#over(item, now);
  }

  protected override told(event: RealtimeServerEvent): void {
    switch (event.type) {
      case "response.output_audio.done":
        this.#item(event.item_id).isWhole = true;
        return;
      case "response.output_audio_transcript.delta":
        this.#item(event.item_id).text += event.delta;
        return;
      case "response.created":
        this.#note({ type: "response.started", responseId: event.response.id ?? "", cause: "turn" });
        return;
      case "response.done": {
        const { id = "", status = "completed", output = [] } = event.response;
        this.#note({ type: "response.ended", responseId: id, status });
        for (const item of output) if (item.type === "function_call") void this.#call(item);
        return;
      }
      case "input_audio_buffer.speech_stopped":
        this.#note({ type: "speech.stopped", speaker: "caller" });
        return;
      case "conversation.item.input_audio_transcription.completed":
        this.#said(this.#spokeFromMs, {
          id: event.item_id,
          speaker: "caller",
          text: event.transcript,
          heardMs: 0,
          cut: false,
        });
        return;
    }
  }

  #note(event: Unstamped): void {
    this.#events.push({ ...event, atMs: Date.now() } as CallEvent);
  }

  #item(id: string): Item {
    let item = this.#items.get(id);
    if (!item) {
      item = { id, text: "", producedBytes: 0, sentBytes: 0, startsAtMs: 0, isWhole: false };
      this.#items.set(id, item);
    }
    return item;
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
      this.sendAudio(Buffer.from(piece.toString("base64"), "latin1"));
      playsUntilMs += piece.length / BYTES_PER_MS;
      this.#unmarkedMs += piece.length / BYTES_PER_MS;
    }
    this.#playsUntilMs = playsUntilMs;
    if (this.#unmarkedMs < MARK_EVERY_MS) return;
    this.#unmarkedMs = 0;
    this.tellPhone("mark", { mark: { name: String(++this.#marks) } });
  }

  /** An item is over for the caller's ears; the model is told what of it was heard. */
  #over(item: Item, untilMs: number): void {
    this.#items.delete(item.id);
    const { id, startsAtMs } = item;
    const producedMs = item.producedBytes / BYTES_PER_MS;
    const heardMs = item.sentBytes === 0 ? 0 : Math.min(producedMs, Math.max(0, Math.floor(untilMs - startsAtMs)));
    const cut = heardMs < producedMs;
    this.#said(startsAtMs, { id, speaker: "agent", text: heardText(item.text, heardMs, producedMs), heardMs, cut });
    if (!cut) return;
    this.#note({ type: "playout.cut", itemId: id, heardMs, producedMs });
    this.tellModel(
      heardMs === 0
        ? { type: "conversation.item.delete", item_id: id }
        : { type: "conversation.item.truncate", item_id: id, content_index: 0, audio_end_ms: heardMs },
    );
  }

  #said(atMs: number, entry: Omit<TranscriptEntry, "startMs">): void {
    if (entry.text === "") return;
    const startMs = Math.max(0, Math.round(atMs - this.#startedAtMs));
    this.#note({ type: "transcript.added", entry: { ...entry, startMs } });
  }

  /** Runs the tool, which is durable before it does. */
  async #call(call: RealtimeConversationItemFunctionCall): Promise<void> {
    const { call_id: toolCallId = "", name, arguments: argumentsJson } = call;
    this.#note({ type: "tool.called", toolCallId, name, argumentsJson });
    await this.#parts.store.append(this.#callId, this.#events.splice(0));
    const output = JSON.stringify({ from: "10:00", to: "16:00" });
    const item = { type: "function_call_output", call_id: toolCallId, output };
    this.tellModel({ type: "conversation.item.create", item });
    this.tellModel({ type: "response.create" });
    this.#note({ type: "tool.finished", toolCallId, ok: true, durationMs: 0 });
  }
}

serveBridge(async ({ model, workDir }) => {
  const store = sqliteStore({ path: join(workDir, `least-${process.pid}.sqlite`), durability: "full" });
  await store.start();
  const decoder = new FrameDecoder();
  const relays = new Set<LeastRelay>();
  const onClosed = (relay: LeastRelay) => void relays.delete(relay);
  const beat = setInterval(() => {
    const now = performance.now();
    for (const relay of relays) relay.tick(now);
  }, TICK_MS);
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    const phone = acceptWire(request, socket, head);
    relays.add(new LeastRelay({ phone, model, store, decoder, onClosed }));
  });
  const bridge = await listening(server);
  return {
    ...bridge,
    async stop() {
      clearInterval(beat);
      await bridge.stop();
      await store.stop();
    },
  };
});
