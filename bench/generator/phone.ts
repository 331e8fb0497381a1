import { randomBytes } from "node:crypto";
import { FRAME_BYTES, FRAME_MS } from "../../src/audio/g711.ts";
import { BlockReader, indexOf, MAX_SOURCES, NAME_BYTES, nameBlock, OrderChecker, responseOf } from "../content.ts";
import type { WireSocket } from "../wire/socket.ts";
import { Caller } from "./caller.ts";
import type { Exchange } from "./exchange.ts";
import { Loudspeaker } from "./loudspeaker.ts";
import type { Task } from "./schedule.ts";
import type { ModelSession } from "./session.ts";
import { frameKey } from "./sound.ts";
import { spell } from "./spelling.ts";

/** A pause within an answer counts from this length on: below it nobody hears it. */
const GAP_MS = 20;
const SENT_TIMES = 1_024;
const QUOTE = 0x22;

const block = new BlockReader();
const outgoing = Buffer.alloc(FRAME_BYTES);
const scratch = Buffer.alloc(512 * FRAME_BYTES);

type Json = Readonly<Record<string, unknown>>;

/** One call as Twilio's media streams have it: frames every 20 ms, marks that come back when played, `clear`. */
export class PhoneCall implements Task {
  readonly number: number;
  readonly legId = `CA${randomBytes(16).toString("hex")}`;
  readonly caller: Caller;
  session: ModelSession | undefined;
  readonly #exchange: Exchange;
  readonly #streamId = `MZ${randomBytes(16).toString("hex")}`;
  readonly #mediaHead = Buffer.from(`{"event":"media","streamSid":"${this.#streamId}","media":{"payload":"`);
  readonly #loudspeaker = new Loudspeaker();
  readonly #sentAt = new Float64Array(SENT_TIMES);
  #marks: { readonly name: string; readonly atMs: number }[] = [];
  #socket: WireSocket | undefined;
  #startedAtMs: number | undefined;
  #frames = 0;
  #messages = 0;
  #order: OrderChecker | undefined;
  #carried = Buffer.alloc(0);
  /** Whether the phone is off the hook. */
  #isLive = false;
  #isQuiet = false;
  #over: (() => void) | undefined;

  constructor(exchange: Exchange, number: number, offset = number) {
    this.number = number;
    this.#exchange = exchange;
    const view = {
      loudspeaker: this.#loudspeaker,
      session: () => this.session,
      arrivedBlocks: () => this.#order?.next ?? 0,
      giveUpRest: (blocks: number) => this.#order?.finish(blocks),
    };
    this.caller = new Caller(exchange, view, offset);
  }

  get source(): number {
    return this.number % MAX_SOURCES;
  }

  /** When the stream's `start` was sent. */
  get startedAtMs(): number | undefined {
    return this.#startedAtMs;
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  /** Whether it sends no more, because the run is about to end. */
  get isQuiet(): boolean {
    return this.#isQuiet;
  }

  /** The number of the last block that was sent. */
  get lastBlock(): number {
    return this.#frames;
  }

  /** When a recent block was sent. */
  sentAtMs(number: number): number {
    return this.#sentAt[number % SENT_TIMES] as number;
  }

  /** The sound of a block, but for its name. */
  sound(number: number, loud: boolean): Uint8Array {
    const { tone, caller } = this.#exchange.sounds;
    const sound = loud ? caller : tone;
    return sound[number % sound.length] as Uint8Array;
  }

  /** Begins to stream on a socket that is open. */
  stream(socket: WireSocket, accountSid: string, parameters: Readonly<Record<string, string>>): void {
    this.#socket = socket;
    this.#isLive = true;
    socket.listen({ message: (payload) => this.#take(payload), closed: () => this.#closed() });
    socket.send(spell({ event: "connected", protocol: "Call", version: "1.0.0" }, this.#exchange.spelling));
    this.#startedAtMs = this.#exchange.schedule.now();
    this.#send("start", {
      start: {
        accountSid,
        streamSid: this.#streamId,
        callSid: this.legId,
        tracks: ["inbound"],
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
        customParameters: parameters,
      },
    });
    this.#exchange.schedule.at(this.#startedAtMs + FRAME_MS, this);
  }

  /** Sends one frame. */
  run(nowMs: number): number | undefined {
    if (!this.#isLive || this.#isQuiet) return undefined;
    this.#echoMarks(nowMs);
    const loud = this.caller.speaks(nowMs);
    this.#frames += 1;
    const number = this.#frames;
    outgoing.set(this.sound(number, loud));
    nameBlock(outgoing, 0, { maker: "caller", source: this.source, number, loud });
    const message = this.#media(number, outgoing.toString("base64"));
    const sentAtMs = this.#exchange.schedule.now();
    this.#sentAt[number % SENT_TIMES] = sentAtMs;
    this.#socket?.send(message);
    if (loud) this.caller.spoke(sentAtMs);
    return (this.#startedAtMs as number) + (number + 1) * FRAME_MS;
  }

  /** Sends no more frames; what the bridge sends is still heard. */
  quiesce(): void {
    this.#isQuiet = true;
    this.caller.finish(this.#exchange.schedule.now());
  }

  /** Hangs up. Resolves when the stream's socket is closed. */
  hangUp(): Promise<void> {
    if (!this.#isLive) return Promise.resolve();
    this.#isLive = false;
    this.caller.finish(this.#exchange.schedule.now());
    this.#send("stop", { stop: { accountSid: "", callSid: this.legId } });
    return new Promise((resolve) => {
      this.#over = resolve;
      this.#socket?.close();
      this.#exchange.schedule.after(3_000, () => this.#socket?.destroy());
    });
  }

  #closed(): void {
    if (this.#isLive) this.#exchange.fault("callFailed");
    this.#isLive = false;
    this.#over?.();
  }

  #media(number: number, payload: string): Buffer {
    const chunk = String(number);
    const timestamp = String(number * FRAME_MS);
    if (this.#exchange.spelling === "odd") {
      const media = { track: "inbound", chunk, timestamp, payload };
      return spell({ event: "media", sequenceNumber: this.#sequence(), streamSid: this.#streamId, media }, "odd");
    }
    const head = `{"event":"media","sequenceNumber":"${this.#sequence()}","streamSid":"${this.#streamId}",`;
    const media = `"media":{"track":"inbound","chunk":"${chunk}","timestamp":"${timestamp}","payload":"${payload}"}}`;
    return Buffer.from(head + media, "latin1");
  }

  #send(event: string, body: object): void {
    const message = { event, sequenceNumber: this.#sequence(), streamSid: this.#streamId, ...body };
    this.#socket?.send(spell(message, this.#exchange.spelling));
  }

  #sequence(): string {
    this.#messages += 1;
    return String(this.#messages);
  }

  #take(payload: Buffer): void {
    const head = this.#mediaHead;
    if (payload.length > head.length && payload.compare(head, 0, head.length, 0, head.length) === 0) {
      this.#hear(payload.toString("latin1", head.length, payload.indexOf(QUOTE, head.length)));
      return;
    }
    let message: Json;
    try {
      message = JSON.parse(payload.toString("utf8")) as Json;
    } catch {
      this.#exchange.fault("badMessage");
      return;
    }
    if (message["streamSid"] !== this.#streamId) {
      this.#exchange.fault("badMessage");
      return;
    }
    const now = this.#exchange.schedule.now();
    switch (message["event"]) {
      case "media":
        this.#hear(String((message["media"] as Json)["payload"]));
        return;
      case "mark":
        this.#marks.push({
          name: String((message["mark"] as Json)["name"]),
          atMs: Math.max(now, this.#loudspeaker.playsUntilMs),
        });
        this.#echoMarks(now);
        return;
      case "clear":
        this.caller.cleared(now);
        this.#loudspeaker.clear(now);
        this.#echoMarks(Number.POSITIVE_INFINITY);
        return;
      default:
        this.#exchange.fault("badMessage");
        return;
    }
  }

  /** Twilio sends a mark back when the sound before it has played, and all of them at a `clear`. */
  #echoMarks(untilMs: number): void {
    while (this.#marks.length > 0 && (this.#marks[0] as { atMs: number }).atMs <= untilMs) {
      const { name } = this.#marks.shift() as { name: string };
      this.#send("mark", { mark: { name } });
    }
  }

  #hear(base64: string): void {
    const start = this.#carried.copy(scratch);
    const length = start + scratch.write(base64, start, "base64");
    const whole = length - (length % FRAME_BYTES);
    for (let at = 0; at < whole; at += FRAME_BYTES) this.#block(at);
    this.#carried = Buffer.from(scratch.subarray(whole, length));
  }

  /** Checks and plays one block, which stands in `scratch` at `at`. */
  #block(at: number): void {
    const exchange = this.#exchange;
    const now = exchange.schedule.now();
    if (!block.read(scratch, at) || block.maker !== "agent") {
      if (exchange.sounds.clips.has(frameKey(scratch, at))) {
        this.#loudspeaker.pushOther(now);
        exchange.tally.counts.clipBlocks += 1;
      } else if (this.#isFadedIn(at)) exchange.fault("stale");
      else exchange.fault("agentGarbled");
      return;
    }
    if (!this.session) exchange.linkCall(this, block.source);
    const session = this.session;
    if (!session || session.source !== block.source) {
      exchange.fault("crossed");
      return;
    }
    const { number } = block;
    const index = indexOf(number);
    const response = responseOf(number);
    const voice = exchange.agentVoice;
    const expected = voice[index % voice.length] as Uint8Array;
    if (scratch.compare(expected, NAME_BYTES, FRAME_BYTES, at + NAME_BYTES, at + FRAME_BYTES) !== 0) {
      exchange.fault("agentGarbled");
      return;
    }
    exchange.tally.counts.agentBlocks += 1;
    if (response <= this.caller.clearedThrough) {
      exchange.fault("stale");
      return;
    }
    const newest = this.#loudspeaker.playing?.response ?? 0;
    if (response < newest) {
      exchange.fault("agentReordered");
      return;
    }
    if (response > newest) this.#beginResponse(newest, index, response, now);
    this.#order?.take(index);
    const gapMs = this.#loudspeaker.push(now, number);
    if (gapMs > GAP_MS) exchange.tally.time("gap", gapMs);
  }

  /** Whether a block is the softened beginning of an answer that was thrown away and goes on nevertheless. */
  #isFadedIn(at: number): boolean {
    if ((this.#loudspeaker.playing?.response ?? 0) !== this.caller.clearedThrough) return false;
    const half = FRAME_BYTES / 2;
    return this.#exchange.agentVoice.some(
      (block) => scratch.compare(block, half, FRAME_BYTES, at + half, at + FRAME_BYTES) === 0,
    );
  }

  #beginResponse(previous: number, index: number, response: number, nowMs: number): void {
    const before = this.session?.answer(previous);
    // The one before was to be heard whole, and the bridge goes on without its rest.
    if (before && previous > this.caller.clearedThrough && !this.caller.hasBrokenInto(previous)) {
      this.#order?.finish(before.blocks);
    }
    this.#order = new OrderChecker(this.#exchange.tally.faults, "agent", 0);
    this.caller.answered();
    const sentAtMs = this.session?.answer(response)?.firstSentAtMs;
    if (index === 0 && sentAtMs !== undefined) this.#exchange.tally.time("firstAudio", nowMs - sentAtMs);
  }
}
