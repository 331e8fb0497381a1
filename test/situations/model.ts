import { EventEmitter } from "node:events";
import { FRAME_MS, mulawMs } from "../../src/audio/g711.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { EngineEvents, EngineSession, ResponseOrder } from "../../src/engines/engine.ts";
import type { Random } from "./random.ts";
import { toMulaw, type Wave } from "./waves.ts";

/** Something at the caller's end, as the engine takes it. Times count the caller's audio. */
export interface Utterance {
  readonly fromMs: number;
  readonly untilMs: number;
  /** What the engine's voice activity detection says, and when; absent when it notices nothing. */
  readonly vad?: { readonly startedAtMs: number; readonly stoppedAtMs: number };
  /** What the transcript says once the turn is committed; absent when it fails. */
  readonly text?: string;
  /** How long after the commitment. */
  readonly writtenAfterMs: number;
}

export interface ModelParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly utterances: readonly Utterance[];
  readonly greeting: Wave;
  /** What it answers, in order; the last one again and again. */
  readonly answers: readonly Wave[];
  /** From `respond` to the first sound. */
  readonly latencyMs: number;
}

/** How far back the engine dates the beginning of speech. */
const PADDING_MS = 300;
const DELTA_MS = 200;
const DELTA_EVERY_MS = 40;

/**
 * A speech model by script: its detection of speech comes early, late, not at all or for nothing, its words come late,
 * its answers far faster than they play.
 */
export class Model implements EngineSession {
  readonly id = "session_1";
  readonly model = "scripted";
  readonly pending = [];
  /** Everything it said, by item. */
  readonly items = new Map<string, Buffer>();
  /** By which item each of its sounds was said first. */
  readonly itemOf = new Map<Wave, string>();
  /** What it was told of what was heard, in milliseconds. */
  readonly truncated = new Map<string, number>();
  /** Why it was asked to respond. */
  readonly asked: string[] = [];
  readonly #parts: ModelParts;
  readonly #events = new EventEmitter();
  readonly #committed = new Set<Utterance>();
  readonly #due: { atMs: number; tell: () => void }[];
  /** Never more than one runs, and none begins while held. */
  #waiting: ResponseOrder[] = [];
  #running: { stopped: boolean } | undefined;
  #held = false;
  #frames = 0;
  #turns = 0;
  /** The item of the speech that is being noticed. */
  #open: string | undefined;
  #responses = 0;
  #answers = 0;
  #closed = false;

  constructor(parts: ModelParts) {
    this.#parts = parts;
    this.#due = parts.utterances
      .flatMap((utterance, index) => this.#noticing(utterance, `turn_${index}`))
      .sort((a, b) => a.atMs - b.atMs);
  }

  on<Name extends keyof EngineEvents>(event: Name, listener: (...payload: EngineEvents[Name]) => void): void {
    this.#events.on(event, listener as (...payload: unknown[]) => void);
  }
  sendAudio(): void {
    this.#frames += 1;
    while (this.#due[0] && this.#due[0].atMs <= this.#heardMs) this.#due.shift()?.tell();
  }
  respond(order: ResponseOrder): void {
    this.asked.push(order.cause);
    this.#waiting.push(order);
    this.#next();
  }
  say(_text: string, cause: "greeting" | "say"): void {
    this.respond({ cause });
  }
  hold(held: boolean): void {
    this.#held = held;
    this.#next();
  }
  stop(): void {
    this.#waiting = this.#waiting.filter(({ cause }) => cause === "say");
    if (this.#running) this.#running.stopped = true;
  }
  truncate(itemId: string, heardMs: number): void {
    this.truncated.set(itemId, heardMs);
  }
  commitTurn(): void {
    const missed = this.#parts.utterances.filter(
      (one) => one.fromMs < this.#heardMs && !this.#committed.has(one) && one.untilMs > this.#heardMs - 15_000,
    );
    for (const one of missed) this.#committed.add(one);
    this.#turns += 1;
    // An item that was announced when its speech began is the one that is made.
    const itemId = this.#open ?? `ended_${this.#turns}`;
    const fails = missed.some(({ text }) => text === undefined);
    const text = fails ? undefined : missed.map((one) => one.text).join(" ");
    this.#parts.clock.after(40, () => this.#commit(itemId, text, missed[0]?.writtenAfterMs ?? 400));
  }
  instruct(): void {}
  remember(): void {}
  giveToolResult(): void {}
  update(): void {}
  close(): void {
    this.#closed = true;
  }

  get #heardMs(): number {
    return this.#frames * FRAME_MS;
  }

  #noticing(utterance: Utterance, itemId: string) {
    const { vad, fromMs, untilMs } = utterance;
    if (!vad) return [];
    const atInputMs = Math.max(0, Math.min(fromMs, vad.startedAtMs) - PADDING_MS);
    const started = () => {
      this.#open = itemId;
      this.#tell("speechStarted", { itemId, atInputMs });
    };
    const stopped = () => {
      this.#open = undefined;
      this.#tell("speechStopped", { itemId, atInputMs: untilMs });
      if (this.#committed.has(utterance)) return;
      this.#committed.add(utterance);
      this.#commit(itemId, utterance.text, utterance.writtenAfterMs);
    };
    return [
      { atMs: vad.startedAtMs, tell: started },
      { atMs: vad.stoppedAtMs, tell: stopped },
    ];
  }

  #commit(itemId: string, text: string | undefined, writtenAfterMs: number): void {
    this.#tell("turnCommitted", { itemId });
    this.#parts.clock.after(writtenAfterMs * 0.7, () => {
      const first = text?.split(" ").slice(0, 3).join(" ");
      if (first) this.#tell("callerWords", { itemId, text: first, final: false });
    });
    this.#parts.clock.after(writtenAfterMs, () => {
      if (text === undefined) this.#tell("callerWordsFailed", { itemId });
      else this.#tell("callerWords", { itemId, text, final: true });
    });
  }

  #next(): void {
    const order = this.#held || this.#running ? undefined : this.#waiting.shift();
    if (!order) return;
    const running = { stopped: false };
    this.#running = running;
    this.#parts.clock.after(this.#parts.latencyMs, () => this.#respond(order, running));
  }

  #respond({ cause }: ResponseOrder, running: { readonly stopped: boolean }): void {
    this.#responses += 1;
    const ids = { responseId: `response_${this.#responses}`, itemId: `item_${this.#responses}` };
    const { greeting, answers, clock } = this.#parts;
    const sound = cause === "greeting" ? greeting : (answers[Math.min(this.#answers, answers.length - 1)] as Wave);
    if (cause !== "greeting") this.#answers += 1;
    const audio = toMulaw(sound);
    this.items.set(ids.itemId, audio);
    if (!this.itemOf.has(sound)) this.itemOf.set(sound, ids.itemId);
    this.#tell("responseStarted", { responseId: ids.responseId, cause });
    let sent = 0;
    const deliver = () => {
      if (running.stopped) return this.#ended(ids.responseId, "cancelled");
      const delta = Buffer.from(audio.subarray(sent, sent + DELTA_MS * 8));
      sent += delta.length;
      const complete = sent >= audio.length;
      this.#tell("audio", { ...ids, audio: delta });
      this.#tell("agentWords", { ...ids, text: `${Math.round(mulawMs(sent))} milliseconds`, final: complete });
      if (!complete) {
        clock.after(DELTA_EVERY_MS, deliver);
        return;
      }
      this.#tell("audioDone", ids);
      this.#ended(ids.responseId, "completed");
    };
    deliver();
  }

  #ended(responseId: string, status: "completed" | "cancelled"): void {
    this.#running = undefined;
    this.#tell("responseEnded", { responseId, status });
    this.#next();
  }

  #tell<Name extends keyof EngineEvents>(event: Name, ...payload: EngineEvents[Name]): void {
    if (!this.#closed) this.#events.emit(event, ...payload);
  }
}
