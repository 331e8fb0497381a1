import type { Clock, Timer } from "../../core/clock.ts";
import { InvalidRequestError } from "../../core/errors.ts";
import type { MediaLeg, MediaListener, MediaSocket } from "../carrier.ts";
import {
  type AudioScan,
  type AudioWriter,
  createAudioScan,
  createAudioWriter,
  createMarkScan,
  keptBytes,
  type MarkScan,
} from "./media-bytes.ts";
import { readStreamMessage, type StreamMessage, type StreamStart } from "./stream-messages.ts";

/** A stream names itself within this time, or is closed. */
const START_WITHIN_MS = 5_000;
/** A socket that was closed politely is cut after this time. */
const CLOSE_WITHIN_MS = 2_000;
/** Longest frame that is read, in bytes; Twilio's are about 300. */
const FRAME_LIMIT = 64 * 1024;
/** What arrives before somebody listens: 10 s of audio, then the oldest goes. */
const WAITING_LIMIT = 500;
/** Unreadable frames that a running stream may have; each is dropped, this many close the socket. */
const UNREADABLE_LIMIT = 10;
/** Bytes of messages that usually leave in one write: 300 ms of sound and a mark have 3,700. */
const USUAL_BATCH = 4_096;
const FORMAT = "audio/x-mulaw 8000 1";

/** Why a socket is closed (RFC 6455, 7.4.1). */
const CLOSE = { done: 1000, away: 1001, binary: 1003, unreadable: 1007, refused: 1008, tooLong: 1009 };

interface MediaParts {
  readonly accountSid: string;
  readonly clock: Clock;
  readonly batches: BatchRoom;
}

/**
 * Memory for the messages that leave in one write: all legs use it in turn, and so it stays in the processor's cache. A
 * batch begins and ends within one call.
 */
export class BatchRoom {
  readonly #bytes = Buffer.allocUnsafeSlow(USUAL_BATCH);
  #taken = 0;
  #batches = 0;

  /** Has `batch` compose messages, and send them. */
  use(batch: () => void): void {
    this.#batches += 1;
    try {
      batch();
    } finally {
      this.#batches -= 1;
      if (this.#batches === 0) this.#taken = 0;
    }
  }

  /** Memory for one message, until its batch is over. */
  take(bytes: number): Buffer {
    const from = this.#taken;
    if (from + bytes > USUAL_BATCH) return Buffer.allocUnsafe(bytes);
    this.#taken += bytes;
    return this.#bytes.subarray(from, from + bytes);
  }
}

/**
 * Takes over a media stream's socket and resolves once the stream has named its leg. Until then anything out of order
 * closes the socket; later an unreadable frame is dropped, so that one bad frame does not cost a person their call.
 * @throws InvalidRequestError no or another account's stream, another audio format, a broken frame, or nothing in 5 s
 */
export function openMediaLeg(socket: MediaSocket, signal: AbortSignal, parts: MediaParts): Promise<MediaLeg> {
  return new Promise((resolve, reject) => {
    let leg: TwilioMediaLeg | undefined;
    let hasFailed = false;
    const closer = new SocketCloser(socket, parts.clock);
    const settle = () => {
      timeout.stop();
      signal.removeEventListener("abort", onAbort);
    };
    const fail = (code: number, reason: string, cause?: unknown) => {
      if (hasFailed || leg) return;
      hasFailed = true;
      settle();
      closer.close(code, reason);
      reject(new InvalidRequestError("media stream", reason, { cause }));
    };
    const onAbort = () => fail(CLOSE.away, "we stopped waiting for it.", signal.reason);
    const timeout = parts.clock.after(START_WITHIN_MS, () => fail(CLOSE.refused, "it did not start within 5 seconds."));

    const begin = (frame: Buffer, isBinary: boolean) => {
      const message = readFrame(frame, isBinary);
      if ("reason" in message) return fail(message.code, message.reason);
      if (message.event === "connected") return;
      if (message.event !== "start") return fail(CLOSE.refused, "its first messages are not connected and start.");
      const { accountSid, format } = message.start;
      if (accountSid !== parts.accountSid) return fail(CLOSE.refused, "it is another account's.");
      if (format !== FORMAT) return fail(CLOSE.refused, `its format is ${format}, not ${FORMAT}.`);
      settle();
      leg = new TwilioMediaLeg(socket, closer, parts.batches, message.start);
      resolve(leg);
    };

    socket.on("message", (frame, isBinary) => {
      if (leg) leg.receive(frame, isBinary);
      else if (!hasFailed) begin(frame, isBinary);
    });
    socket.on("close", () => {
      closer.closed();
      fail(CLOSE.done, "it was closed before it had started.");
      leg?.socketClosed();
    });
    // Without a listener an error would end the process; `close` follows and is what counts.
    socket.on("error", () => {});
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

/** A frame that cannot be read, and the close code that says why. */
interface Unreadable {
  readonly code: number;
  readonly reason: string;
}

function readFrame(frame: Buffer, isBinary: boolean): StreamMessage | Unreadable {
  if (isBinary) return { code: CLOSE.binary, reason: "a frame is binary; only text is understood." };
  if (frame.length > FRAME_LIMIT)
    return { code: CLOSE.tooLong, reason: `a frame is longer than ${FRAME_LIMIT} bytes.` };
  const unreadable = { code: CLOSE.unreadable, reason: "a frame is not a message of Twilio's media streams." };
  return readStreamMessage(frame) ?? unreadable;
}

/** Closes a socket politely, and cuts it when the other side does not answer. */
class SocketCloser {
  readonly #socket: MediaSocket;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(socket: MediaSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
  }

  close(code: number, reason: string): void {
    if (this.#timer || this.#isClosed) return;
    this.#timer = this.#clock.after(CLOSE_WITHIN_MS, () => this.#socket.terminate());
    // A close frame holds 123 bytes of reason, and a longer one throws.
    this.#socket.close(code, reason.replace(/[^ -~]/g, "?").slice(0, 120));
  }

  /** The socket is closed, whoever did it. */
  closed(): void {
    this.#isClosed = true;
    this.#timer?.stop();
  }
}

class TwilioMediaLeg implements MediaLeg {
  readonly legId: string;
  readonly streamId: string;
  readonly token: string | undefined;
  readonly #socket: MediaSocket;
  readonly #closer: SocketCloser;
  readonly #scanAudio: AudioScan;
  readonly #scanMark: MarkScan;
  readonly #writeAudio: AudioWriter;
  readonly #clearMessage: Buffer;
  /** What arrived before somebody listened. */
  #waiting: ((listener: MediaListener) => void)[] = [];
  #listener: MediaListener | undefined;
  #unreadable = 0;
  /** What is to leave in one write; absent when each message leaves at once. */
  #batch: Buffer[] | undefined;
  readonly #batches: BatchRoom;
  /** We have closed: nothing more goes in or out. */
  #isClosing = false;
  #isOver = false;

  constructor(socket: MediaSocket, closer: SocketCloser, batches: BatchRoom, { legId, streamId, token }: StreamStart) {
    this.legId = legId;
    this.streamId = streamId;
    this.token = token;
    this.#socket = socket;
    this.#closer = closer;
    this.#batches = batches;
    this.#scanAudio = createAudioScan(streamId);
    this.#scanMark = createMarkScan(streamId);
    this.#writeAudio = createAudioWriter(streamId, (bytes) => this.#allocate(bytes));
    this.#clearMessage = keptBytes(JSON.stringify({ event: "clear", streamSid: streamId }));
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  sendAudio(audio: Uint8Array): void {
    if (audio.length > 0) this.#send(this.#writeAudio(audio));
  }

  mark(name: string): void {
    const message = `{"event":"mark","streamSid":"${this.streamId}","mark":{"name":${JSON.stringify(name)}}}`;
    this.#send(Buffer.from(message));
  }

  clear(): void {
    this.#send(this.#clearMessage);
  }

  together(sends: () => void): void {
    if (this.#batch || !this.#socket.sendAll) sends();
    else this.#batches.use(() => this.#sendTogether(sends));
  }

  #sendTogether(sends: () => void): void {
    const batch: Buffer[] = [];
    this.#batch = batch;
    try {
      sends();
    } finally {
      this.#batch = undefined;
      if (batch.length > 0) this.#socket.sendAll?.(batch);
    }
  }

  listen(listener: MediaListener): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#listener = listener;
    for (const deliver of waiting) deliver(listener);
  }

  close(): void {
    if (this.#isOver) return;
    this.#isClosing = true;
    this.#closer.close(CLOSE.done, "the call is over.");
  }

  receive(frame: Buffer, isBinary: boolean): void {
    if (this.#isOver || this.#isClosing) return;
    const base64 = isBinary || frame.length > FRAME_LIMIT ? undefined : this.#scanAudio(frame);
    const mark = base64 || isBinary || !this.#listener ? undefined : this.#scanMark(frame);
    if (base64) this.#hear(base64);
    else if (mark !== undefined) this.#listener?.marked(mark);
    else this.#obey(readFrame(frame, isBinary));
  }

  #obey(message: StreamMessage | Unreadable): void {
    if ("reason" in message) this.#refuse(message);
    else if (message.event === "other")
      this.#deliver((listener) => listener.unrecognised(`the event "${message.name}"`));
    if (!("streamId" in message) || message.streamId !== this.streamId) return;
    switch (message.event) {
      case "media":
        if (message.track === "inbound") this.#hear(Buffer.from(message.payload, "latin1"));
        return;
      case "mark":
        this.#deliver((listener) => listener.marked(message.name));
        return;
      case "dtmf":
        this.#deliver((listener) => listener.dtmf(message.digit));
        return;
      case "stop":
        this.#finish("stopped");
        this.#closer.close(CLOSE.done, "the stream has stopped.");
    }
  }

  /** The connection has ended, whoever ended it. */
  socketClosed(): void {
    this.#finish(this.#isClosing ? "stopped" : "lost");
  }

  #hear(base64: Buffer): void {
    if (this.#listener) {
      this.#listener.audio(base64);
      return;
    }
    const kept = Buffer.from(base64); // a view would keep alive, or share, the memory that the socket reads into
    this.#deliver((listener) => listener.audio(kept));
  }

  #deliver(deliver: (listener: MediaListener) => void): void {
    if (this.#listener) {
      deliver(this.#listener);
      return;
    }
    if (this.#waiting.length >= WAITING_LIMIT) this.#waiting.shift();
    this.#waiting.push(deliver);
  }

  #refuse({ code, reason }: Unreadable): void {
    this.#unreadable += 1;
    this.#deliver((listener) => listener.unrecognised(reason));
    if (this.#unreadable < UNREADABLE_LIMIT) return;
    this.#finish("lost");
    this.#closer.close(code, reason);
  }

  #finish(how: "stopped" | "lost"): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deliver((listener) => listener.closed(how));
  }

  /** Memory for one message: of its own where the socket may keep it, which it does not with those of a batch. */
  #allocate(bytes: number): Buffer {
    return this.#batch ? this.#batches.take(bytes) : Buffer.allocUnsafe(bytes);
  }

  #send(message: Buffer): void {
    if (this.#isOver || this.#isClosing) return;
    if (this.#batch) this.#batch.push(message);
    else this.#socket.send(message, { binary: false });
  }
}
