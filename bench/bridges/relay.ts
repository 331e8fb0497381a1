import type { RealtimeServerEvent } from "openai/resources/realtime/realtime";
import type { ModelAddress } from "../messages.ts";
import { connectWire, type WireSocket } from "../wire/socket.ts";

export const BYTES_PER_MS = 8;

/** Frames of a caller that are kept while the model's socket opens. */
const KEPT_FRAMES = 500;
const QUOTE = 0x22;
const MEDIA = Buffer.from('{"event":"media"');
const PAYLOAD = Buffer.from('"payload":"');
const DELTA_EVENT = Buffer.from('{"type":"response.output_audio.delta"');
const DELTA = Buffer.from('"delta":"');
const ITEM = Buffer.from('"item_id":"');
const APPEND_HEAD = Buffer.from('{"type":"input_audio_buffer.append","audio":"');
const APPEND_TAIL = Buffer.from('"}');
const MEDIA_TAIL = Buffer.from('"}}');

/** What a relay asks the model for: the engine takes the turns. */
const SESSION = {
  type: "realtime",
  audio: {
    input: {
      format: { type: "audio/pcmu" },
      transcription: { model: "gpt-transcribe" },
      turn_detection: { type: "server_vad" },
    },
    output: { format: { type: "audio/pcmu" }, voice: "marin" },
  },
};

export interface RelayParts {
  readonly phone: WireSocket;
  readonly model: ModelAddress;
  /** What the model is asked for beside what every relay asks. */
  readonly session?: object;
}

/**
 * One call between a phone and a model: own framing, a byte scan for the two hot messages, and one buffer for each that
 * is sent. How the agent's sound is played, and cut, is each relay's own.
 */
export abstract class Relay {
  readonly #phone: WireSocket;
  readonly #session: object;
  #model: WireSocket | undefined;
  #streamId = "";
  #mediaHead: Buffer = Buffer.alloc(0);
  #kept: Buffer[] = [];
  #isReady = false;
  #greeted = false;

  constructor({ phone, model, session = {} }: RelayParts) {
    this.#phone = phone;
    this.#session = { ...SESSION, ...session };
    phone.listen({ message: (message) => this.#fromPhone(message), closed: () => this.closed() });
    void this.#open(model);
  }

  /** Sound of the agent came, base64; the view is good until the call returns. */
  protected abstract play(base64: Buffer, itemId: string): void;

  /** The caller has begun to speak. */
  protected abstract interrupt(): void;

  /** A frame of the caller went to the model; the view is good until the call returns. */
  protected heard(_base64: Buffer): void {}

  /** Another event of the model came. */
  protected told(_event: RealtimeServerEvent): void {}

  /** Whether a message of the model need not be read. */
  protected passesOver(_message: Buffer): boolean {
    return false;
  }

  /** The phone has gone. */
  protected closed(): void {
    this.#model?.close();
  }

  protected sendAudio(base64: Buffer): void {
    this.#phone.sendParts(this.#mediaHead, base64, MEDIA_TAIL);
  }

  /** Sends an event with what it says beside the stream, to the phone. */
  protected tellPhone(event: string, about: object = {}): void {
    this.#phone.send(Buffer.from(JSON.stringify({ event, streamSid: this.#streamId, ...about })));
  }

  protected tellModel(event: object): void {
    this.#model?.send(Buffer.from(JSON.stringify(event)));
  }

  async #open(model: ModelAddress): Promise<void> {
    this.#model = await connectWire({ ...model, path: "/v1/realtime?model=relay", role: "client-zero-mask" });
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
      this.#mediaHead = Buffer.from(`{"event":"media","streamSid":"${this.#streamId}","media":{"payload":"`);
      this.#greet();
    }
  }

  #append(audio: Buffer): void {
    if (this.#model) this.#model.sendParts(APPEND_HEAD, audio, APPEND_TAIL);
    else if (this.#kept.length < KEPT_FRAMES) this.#kept.push(Buffer.from(audio));
    this.heard(audio);
  }

  #fromModel(message: Buffer): void {
    if (startsWith(message, DELTA_EVENT)) {
      const audio = field(message, DELTA, DELTA_EVENT.length);
      const item = field(message, ITEM, DELTA_EVENT.length);
      if (audio && item) {
        this.play(audio, item.toString("latin1"));
        return;
      }
    }
    if (this.passesOver(message)) return;
    const event: RealtimeServerEvent = JSON.parse(message.toString("utf8"));
    switch (event.type) {
      case "session.created":
        this.tellModel({ type: "session.update", session: this.#session });
        return;
      case "session.updated":
        this.#isReady = true;
        this.#greet();
        return;
      case "response.output_audio.delta":
        this.play(Buffer.from(event.delta, "latin1"), event.item_id);
        return;
      case "input_audio_buffer.speech_started":
        this.interrupt();
        return;
      default:
        this.told(event);
    }
  }

  #greet(): void {
    if (this.#greeted || !this.#isReady || this.#streamId === "") return;
    this.#greeted = true;
    this.tellModel({ type: "response.create" });
  }
}

/** Whether a message begins with these bytes. */
export const startsWith = (bytes: Buffer, head: Buffer): boolean =>
  bytes.length >= head.length && bytes.compare(head, 0, head.length, 0, head.length) === 0;

// --- Internal helpers ---

/** The string behind `name` as a view; `undefined`: it is not spelled as usual. */
function field(bytes: Buffer, name: Buffer, from: number): Buffer | undefined {
  const at = bytes.indexOf(name, from);
  if (at < 0) return undefined;
  const start = at + name.length;
  return bytes.subarray(start, bytes.indexOf(QUOTE, start));
}
