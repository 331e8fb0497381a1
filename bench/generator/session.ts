import { FRAME_BYTES, FRAME_MS } from "../../src/audio/g711.ts";
import { BlockReader, MAX_SOURCES, NAME_BYTES, OrderChecker } from "../content.ts";
import type { WireSocket } from "../wire/socket.ts";
import { Answer, type AnswerIds, type Pace } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import type { PhoneCall } from "./phone.ts";
import { spell } from "./spelling.ts";
import {
  callerItem,
  sessionBody,
  TOOL,
  toolCallEvents,
  transcriptEvents,
  turnEvents,
  type WireEvent,
} from "./wire-events.ts";

/** When the model's detector decides, in frames of 20 ms. */
export const VAD = { speechFrames: 5, silenceFrames: 15 };
const PACE: Pace = { burst: 5, deltaMs: 200, firstDeltaMs: 100, thinkMs: 100 };
const GREETING_MS = 1_000;
const ANSWER_MS = 4_000;
/** Of so many responses one calls the tool first, where a bridge offers it. */
const TOOL_EVERY = 4;
/** A tool's result that takes longer is missing. */
const TOOL_WITHIN_MS = 2_000;
/** From the end of a turn until its words are there. */
const TRANSCRIBED_MS = 30;

const APPEND_HEAD = Buffer.from('{"type":"input_audio_buffer.append","audio":"');
const block = new BlockReader();
const scratch = Buffer.alloc(64 * FRAME_BYTES);

type Json = Readonly<Record<string, unknown>>;

/** One session of the speech model: OpenAI's GA wire as far as a telephone bridge uses it, with checks of the content. */
export class ModelSession {
  readonly number: number;
  /** Whether this session's socket was slow to open. */
  readonly isSlow: boolean;
  readonly #socket: WireSocket;
  readonly #exchange: Exchange;
  readonly #order: OrderChecker;
  readonly #answers = new Map<number, Answer>();
  #call: PhoneCall | undefined;
  #updatedAtMs: number | undefined;
  #active: Answer | undefined;
  #responses = 0;
  #events = 0;
  #serverTurns = { create: true, interrupt: true };
  #hasTool = false;
  #openTool: { readonly callId: string; readonly sinceMs: number } | undefined;
  #mustSpeak = true;
  #frames = 0;
  #loudRun = 0;
  #quietRun = 0;
  #callerSpeaks = false;
  #callerTurns = 0;
  #isOver = false;

  constructor(socket: WireSocket, number: number, isSlow: boolean, exchange: Exchange) {
    this.number = number;
    this.isSlow = isSlow;
    this.#socket = socket;
    this.#exchange = exchange;
    this.#order = new OrderChecker(exchange.tally.faults, "caller", 1);
    socket.listen({ message: (payload) => this.#take(payload), closed: () => this.#closed() });
    this.#send({ type: "session.created", session: sessionBody(this.number, []) });
  }

  get source(): number {
    return this.number % MAX_SOURCES;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether every caller block up to `last` has come. */
  hasHeard(last: number): boolean {
    return this.#order.next > last;
  }

  /** The newest caller block that must have come is `last`: whatever is missing now is lost. */
  finish(last: number): void {
    this.#order.finish(last + 1);
    const open = this.#openTool;
    if (open && this.#exchange.schedule.now() - open.sinceMs > TOOL_WITHIN_MS) this.#fault("toolUnanswered");
  }

  answer(number: number): Answer | undefined {
    return this.#answers.get(number);
  }

  /** Puts the session and its call together, whichever of them saw the other first. */
  link(call: PhoneCall): void {
    if (this.#call) return;
    this.#call = call;
    if (this.#updatedAtMs === undefined || this.isSlow || call.startedAtMs === undefined) return;
    this.#exchange.tally.times.setup.add(Math.max(0, this.#updatedAtMs - call.startedAtMs));
  }

  cut(): void {
    this.#socket.destroy();
  }

  #closed(): void {
    this.#isOver = true;
    // A call that goes on has lost its model.
    if (this.#call?.isLive && !this.#call.isQuiet) this.#fault("callFailed");
    this.#exchange.sessionClosed(this);
  }

  #take(payload: Buffer): void {
    if (
      payload.length > APPEND_HEAD.length &&
      payload.compare(APPEND_HEAD, 0, APPEND_HEAD.length, 0, APPEND_HEAD.length) === 0
    ) {
      this.#append(payload.toString("latin1", APPEND_HEAD.length, payload.indexOf(0x22, APPEND_HEAD.length)));
      return;
    }
    let event: Json;
    try {
      event = JSON.parse(payload.toString("utf8")) as Json;
    } catch {
      this.#fault("badMessage");
      return;
    }
    this.#obey(event);
  }

  #obey(event: Json): void {
    const now = this.#exchange.schedule.now();
    const itemId = String(event["item_id"]);
    switch (event["type"]) {
      case "input_audio_buffer.append":
        this.#append(String(event["audio"]));
        return;
      case "session.update":
        this.#update(event["session"] as Json, now);
        return;
      case "response.create":
        this.#respond(event);
        return;
      case "response.cancel":
        if (this.#active) this.#active.cancel("client_cancelled");
        else this.#refuse("response_cancel_not_active", "Cancellation failed: no active response found", event);
        return;
      case "conversation.item.truncate":
        this.#truncate(itemId, Number(event["audio_end_ms"]), event);
        return;
      case "conversation.item.delete":
        this.#send({ type: "conversation.item.deleted", item_id: itemId });
        this.#told(itemId, 0);
        return;
      case "conversation.item.create":
        this.#addItem(event["item"] as Json);
        return;
      case "input_audio_buffer.clear":
        this.#send({ type: "input_audio_buffer.cleared" });
        return;
      case "conversation.item.retrieve":
        this.#send({ type: "conversation.item.retrieved", item: callerItem(itemId) });
        return;
      case "input_audio_buffer.commit":
        return;
      default:
        this.#fault("badMessage");
        return;
    }
  }

  #update(session: Json, nowMs: number): void {
    this.#updatedAtMs ??= nowMs;
    const input = (session["audio"] as Json | undefined)?.["input"] as Json | undefined;
    const turns = input?.["turn_detection"] as Json | null | undefined;
    if (turns) {
      this.#serverTurns = {
        create: turns["create_response"] !== false,
        interrupt: turns["interrupt_response"] !== false,
      };
    }
    const tools = session["tools"] as readonly Json[] | undefined;
    if (tools) this.#hasTool = tools.some((tool) => tool["name"] === TOOL);
    this.#send({ type: "session.updated", session: sessionBody(this.number, tools ?? []) });
  }

  #append(base64: string): void {
    const length = scratch.write(base64, "base64");
    if (length === 0 || length % FRAME_BYTES !== 0) {
      this.#fault("callerGarbled");
      return;
    }
    for (let at = 0; at < length; at += FRAME_BYTES) this.#hear(at);
  }

  /** Checks and hears one block of the caller, which stands in `scratch` at `at`. */
  #hear(at: number): void {
    const exchange = this.#exchange;
    const now = exchange.schedule.now();
    if (!block.read(scratch, at) || block.maker !== "caller") {
      this.#fault("callerGarbled");
      return;
    }
    if (!this.#call) exchange.link(this, block.source);
    const call = this.#call;
    if (!call || call.source !== block.source) {
      this.#fault("crossed");
      return;
    }
    const sound = call.sound(block.number, block.loud);
    if (scratch.compare(sound, NAME_BYTES, FRAME_BYTES, at + NAME_BYTES, at + FRAME_BYTES) !== 0) {
      this.#fault("callerGarbled");
      return;
    }
    this.#order.take(block.number);
    exchange.tally.counts.callerBlocks += 1;
    exchange.tally.time("callerToModel", now - call.sentAtMs(block.number));
    this.#frames += 1;
    if (block.loud) {
      this.#loudRun += 1;
      this.#quietRun = 0;
      if (!this.#callerSpeaks && this.#loudRun === VAD.speechFrames) this.#speechStarted(now);
    } else {
      this.#loudRun = 0;
      this.#quietRun += 1;
      if (this.#callerSpeaks && this.#quietRun === VAD.silenceFrames) this.#speechStopped();
    }
  }

  #speechStarted(nowMs: number): void {
    this.#callerSpeaks = true;
    this.#callerTurns += 1;
    this.#call?.caller.speechStarted(nowMs);
    const audio_start_ms = (this.#frames - VAD.speechFrames) * FRAME_MS;
    this.#send({ type: "input_audio_buffer.speech_started", audio_start_ms, item_id: this.#turnItem });
    if (this.#serverTurns.interrupt) this.#active?.cancel("turn_detected");
  }

  #speechStopped(): void {
    this.#callerSpeaks = false;
    const item = this.#turnItem;
    for (const event of turnEvents(item, this.#frames * FRAME_MS)) this.#send(event);
    this.#exchange.schedule.after(TRANSCRIBED_MS, () => {
      for (const event of transcriptEvents(item)) this.#send(event);
    });
    if (this.#serverTurns.create && !this.#active) this.#respond({});
  }

  /** Answers a `response.create`, or the model's own wish to speak. */
  #respond({ event_id, response }: Json): void {
    if (this.#active) {
      const message = `Conversation already has an active response in progress: ${this.#active.ids.response_id}.`;
      this.#refuse("conversation_already_has_active_response", message, { event_id });
      return;
    }
    this.#responses += 1;
    const metadata = (response as Json | undefined)?.["metadata"] ?? null;
    if (this.#hasTool && !this.#mustSpeak && this.#responses % TOOL_EVERY === 0) {
      this.#callTool(metadata);
      return;
    }
    this.#mustSpeak = false;
    const { schedule, agentVoice } = this.#exchange;
    const answer = new Answer({
      schedule,
      pace: PACE,
      voice: agentVoice,
      session: this.source,
      number: this.#responses,
      metadata,
      lengthMs: this.#responses === 1 ? GREETING_MS : ANSWER_MS,
      send: (event) => this.#send(event),
      sendAudio: (ids, base64) => this.#sendAudio(ids, base64),
      ended: () => {
        this.#active = undefined;
      },
    });
    this.#active = answer;
    this.#answers.set(answer.number, answer);
    this.#answers.delete(answer.number - 8);
    answer.start();
  }

  /** A response that only calls the tool; its result is followed by another `response.create`. */
  #callTool(metadata: unknown): void {
    const tag = `${this.number}_${this.#responses}`;
    this.#openTool = { callId: `call_${tag}`, sinceMs: this.#exchange.schedule.now() };
    this.#mustSpeak = true;
    this.#exchange.tally.counts.toolCalls += 1;
    for (const event of toolCallEvents(tag, metadata)) this.#send(event);
  }

  #addItem(item: Json): void {
    const body = { id: `item_${this.number}_${this.#events}`, object: "realtime.item", status: "completed", ...item };
    if (item["type"] === "function_call_output" && item["call_id"] === this.#openTool?.callId)
      this.#openTool = undefined;
    this.#send({ type: "conversation.item.added", previous_item_id: null, item: body });
    this.#send({ type: "conversation.item.done", previous_item_id: null, item: body });
  }

  #truncate(itemId: string, audioEndMs: number, event: Json): void {
    const producedMs = this.#answerOf(itemId)?.producedMs ?? 0;
    if (audioEndMs > producedMs) {
      this.#fault("truncatedPastEnd");
      const message = `Audio content of ${producedMs}ms is already shorter than ${audioEndMs}ms`;
      this.#refuse(null, message, event);
    } else {
      this.#send({ type: "conversation.item.truncated", item_id: itemId, content_index: 0, audio_end_ms: audioEndMs });
    }
    this.#told(itemId, audioEndMs);
  }

  #told(itemId: string, heardMs: number): void {
    const answer = this.#answerOf(itemId);
    if (answer) this.#call?.caller.truncated(answer.number, heardMs, this.#exchange.schedule.now());
  }

  #answerOf(itemId: string): Answer | undefined {
    for (const answer of this.#answers.values()) if (answer.ids.item_id === itemId) return answer;
    return undefined;
  }

  #refuse(code: string | null, message: string, { event_id }: Json): void {
    // A cancel that crosses the end of its response is no fault of anybody's.
    if (code !== null && code !== "response_cancel_not_active") this.#fault("refused");
    const error = { type: "invalid_request_error", code, message, param: null, event_id: event_id ?? null };
    this.#send({ type: "error", error });
  }

  get #turnItem(): string {
    return `item_caller_${this.number}_${this.#callerTurns}`;
  }

  #send({ type, ...rest }: WireEvent): void {
    this.#events += 1;
    const event = { type, event_id: `event_${this.number}_${this.#events}`, ...rest };
    this.#socket.send(spell(event, this.#exchange.spelling));
  }

  #sendAudio(ids: AnswerIds, base64: string): void {
    if (this.#exchange.spelling === "odd") {
      this.#send({ type: "response.output_audio.delta", ...ids, delta: base64 });
      return;
    }
    this.#events += 1;
    const head = `{"type":"response.output_audio.delta","event_id":"event_${this.number}_${this.#events}",`;
    const at = `"response_id":"${ids.response_id}","item_id":"${ids.item_id}","output_index":0,"content_index":0,`;
    this.#socket.send(Buffer.from(`${head}${at}"delta":"${base64}"}`, "latin1"));
  }

  #fault(kind: Parameters<Exchange["fault"]>[0]): void {
    this.#exchange.fault(kind);
  }
}
