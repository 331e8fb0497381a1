import { FRAME_BYTES, FRAME_MS } from "../../src/audio/g711.ts";
import { blockNumber, nameBlock } from "../content.ts";
import type { Schedule, Task } from "./schedule.ts";
import type { Sound } from "./sound.ts";
import { responseBody, usageOf, type WireEvent } from "./wire-events.ts";

/** How a response comes; milliseconds. */
export interface Pace {
  /** Times real time. */
  readonly burst: number;
  readonly deltaMs: number;
  readonly firstDeltaMs: number;
  /** From `response.created` to the first sound. */
  readonly thinkMs: number;
}

/** A client-side name for what is said in a response: a word for each delta. */
const WORD = "going ";

export interface AnswerParts {
  readonly schedule: Schedule;
  readonly pace: Pace;
  readonly voice: Sound;
  readonly session: number;
  /** The response's number within its session. */
  readonly number: number;
  readonly metadata: unknown;
  readonly lengthMs: number;
  readonly send: (event: WireEvent) => void;
  /** Sends the hot event, whose base64 is at hand. */
  readonly sendAudio: (ids: AnswerIds, base64: string) => void;
  readonly ended: () => void;
}

export interface AnswerIds {
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: number;
}

/** A spoken response on its way, with the whole set of events that OpenAI's GA wire has for it. */
export class Answer implements Task {
  readonly ids: AnswerIds;
  readonly #parts: AnswerParts;
  #sentBlocks = 0;
  #words = "";
  #startedAtMs = 0;
  #isOver = false;
  /** When the first delta was sent. */
  firstSentAtMs: number | undefined;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
    const tag = `${parts.session.toString(36).padStart(4, "0")}${parts.number.toString(36).padStart(6, "0")}`;
    this.ids = { response_id: `resp_${tag}`, item_id: `item_${tag}`, output_index: 0, content_index: 0 };
  }

  get number(): number {
    return this.#parts.number;
  }

  /** Blocks that were sent so far. */
  get blocks(): number {
    return this.#sentBlocks;
  }

  get producedMs(): number {
    return this.#sentBlocks * FRAME_MS;
  }

  /** Whether nothing more comes. */
  get isOver(): boolean {
    return this.#isOver;
  }

  start(): void {
    const { schedule, pace, send } = this.#parts;
    send({ type: "response.created", response: this.#snapshot("in_progress", null) });
    this.#startedAtMs = schedule.now() + pace.thinkMs;
    schedule.at(this.#startedAtMs, this);
  }

  run(): number | undefined {
    if (this.#isOver) return undefined;
    const { schedule, pace, lengthMs, send, sendAudio } = this.#parts;
    if (this.#sentBlocks === 0) this.#open();
    const wanted = this.#sentBlocks === 0 ? pace.firstDeltaMs : pace.deltaMs;
    const count = Math.min(wanted, lengthMs - this.producedMs) / FRAME_MS;
    this.#words += WORD;
    send({ type: "response.output_audio_transcript.delta", ...this.ids, delta: WORD });
    const base64 = this.#sound(count);
    this.#sentBlocks += count;
    this.firstSentAtMs ??= schedule.now();
    sendAudio(this.ids, base64);
    if (this.producedMs < lengthMs) return this.#startedAtMs + this.producedMs / pace.burst;
    this.#finish("completed", null);
    return undefined;
  }

  cancel(reason: "turn_detected" | "client_cancelled"): void {
    if (!this.#isOver) this.#finish("cancelled", { type: "cancelled", reason });
  }

  #open(): void {
    const { send } = this.#parts;
    const item = this.#item("in_progress");
    const { response_id, output_index } = this.ids;
    send({ type: "response.output_item.added", response_id, output_index, item });
    send({ type: "conversation.item.added", previous_item_id: null, item });
    send({ type: "response.content_part.added", ...this.ids, part: { type: "audio", transcript: "" } });
  }

  #finish(status: "completed" | "cancelled", details: object | null): void {
    this.#isOver = true;
    const { send, ended } = this.#parts;
    const item = this.#item(status === "completed" ? "completed" : "incomplete");
    if (this.#sentBlocks > 0) {
      const { response_id, output_index } = this.ids;
      const transcript = this.#words.trimEnd();
      send({ type: "response.output_audio.done", ...this.ids });
      send({ type: "response.output_audio_transcript.done", ...this.ids, transcript });
      send({ type: "response.content_part.done", ...this.ids, part: { type: "audio", transcript } });
      send({ type: "conversation.item.done", previous_item_id: null, item });
      send({ type: "response.output_item.done", response_id, output_index, item });
    }
    send({ type: "response.done", response: this.#snapshot(status, details, this.#sentBlocks > 0 ? item : undefined) });
    send({
      type: "rate_limits.updated",
      rate_limits: [{ name: "tokens", limit: 40_000, remaining: 39_000, reset_seconds: 1.5 }],
    });
    ended();
  }

  #sound(count: number): string {
    const { voice, session, number } = this.#parts;
    const bytes = Buffer.allocUnsafe(count * FRAME_BYTES);
    for (let i = 0; i < count; i++) {
      const index = this.#sentBlocks + i;
      bytes.set(voice[index % voice.length] as Uint8Array, i * FRAME_BYTES);
      nameBlock(bytes, i * FRAME_BYTES, {
        maker: "agent",
        source: session,
        number: blockNumber(number, index),
        loud: true,
      });
    }
    return bytes.toString("base64");
  }

  #item(status: string): object {
    const content = status === "in_progress" ? [] : [{ type: "output_audio", transcript: this.#words.trimEnd() }];
    return { id: this.ids.item_id, object: "realtime.item", type: "message", status, role: "assistant", content };
  }

  #snapshot(status: string, details: object | null, item?: object): object {
    const id = this.ids.response_id;
    const { metadata } = this.#parts;
    const ended = status !== "in_progress" && { output: item ? [item] : [], usage: usageOf(this.producedMs) };
    return responseBody({ id, status, metadata, details, ...ended });
  }
}
