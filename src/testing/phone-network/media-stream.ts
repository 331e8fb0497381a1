import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { FRAME_MS } from "../../audio/g711.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import type { Faults, StreamFate } from "./faults.ts";
import { makeSid } from "./ids.ts";
import type { Playout } from "./playout.ts";
import { resolveRoute, tunnelHeaders } from "./routes.ts";
import { signRequest } from "./signature.ts";
import type { StreamLogBook } from "./stream-log.ts";
import { BadStreamMessage, readStreamMessage } from "./stream-message.ts";
import type { StreamOrder } from "./twiml.ts";
import type { StreamHandle } from "./types.ts";

const CONNECT_WITHIN_MS = 10_000;
const CLOSE_WITHIN_MS = 2_000;

export interface MediaStreamParts {
  readonly clock: Clock;
  readonly authToken: string;
  readonly accountSid: string;
  readonly callSid: string;
  readonly routes: Readonly<Record<string, string>>;
  readonly faults: Faults;
  readonly playout: Playout;
  readonly log: StreamLogBook;
  /** Notes an error as Twilio's debugger would. */
  readonly note: (code: number, message: string) => void;
  readonly onStarted: () => void;
}

/**
 * Twilio's end of one bidirectional media stream: a WebSocket client that sends the person's audio, keys and mark
 * echoes, and fills the playout with what the application sends.
 * @see https://www.twilio.com/docs/voice/media-streams/websocket-messages
 */
export class MediaStream implements StreamHandle {
  readonly sid = makeSid("MZ");
  readonly #parts: MediaStreamParts;
  readonly #order: StreamOrder;
  readonly #fate: StreamFate;
  readonly #timers: Timer[] = [];
  #socket: WebSocket | undefined;
  #tcp: Socket | undefined;
  #isLive = false;
  #isFrozen = false;
  /** Set once it is known how the stream ended: what the socket says then is no news. */
  #isOver = false;
  #sequence = 0;
  #chunk = 0;
  #leave: () => void = () => {};

  constructor(parts: MediaStreamParts, order: StreamOrder) {
    this.#parts = parts;
    this.#order = order;
    const { callSid, faults } = parts;
    this.#fate = faults.stream?.({ callSid, streamSid: this.sid, url: order.url }) ?? {};
  }

  /** Connects and streams; resolves when the stream is over, whoever ended it and however. */
  async run(): Promise<void> {
    const url = this.#checkedUrl();
    if (!url) return;
    await new Promise<void>((over) => {
      if (this.#isOver) return over();
      this.#leave = over;
      this.#after(this.#fate.connectDelayMs ?? 0, () => this.#connect(url));
    });
    for (const timer of this.#timers) timer.stop();
    this.#isLive = false;
    this.#parts.playout.clear();
  }

  /** Sends one 20 ms frame of the person's audio. */
  sendFrame(frame: Uint8Array): void {
    if (!this.#isLive) return;
    this.#chunk += 1;
    const chunk = this.#chunk;
    const { callSid, faults } = this.#parts;
    if (faults.deliverFrame?.({ callSid, chunk }) === false) return;
    const payload = Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString("base64");
    const timestamp = String(chunk * FRAME_MS);
    this.#send("media", { media: { track: "inbound", chunk: String(chunk), timestamp, payload } });
  }

  sendKey(digit: string): void {
    if (this.#isLive) this.#send("dtmf", { dtmf: { track: "inbound_track", digit } });
  }

  echoMarks(names: readonly string[]): void {
    if (!this.#isLive) return;
    for (const name of names) this.#send("mark", { mark: { name } });
  }

  /** Ends the stream from Twilio's side: the call ended or got new instructions. */
  end(): void {
    const { accountSid, callSid, log } = this.#parts;
    if (this.#isLive) {
      this.#send("stop", { stop: { accountSid, callSid } });
      log.add("close", "ended by this side");
    }
    this.#parts.playout.clear();
    this.#close();
  }

  /** Drops the connection at once, without a word. */
  terminate(): void {
    this.#isOver = true;
    this.#socket?.terminate();
    this.#leave();
  }

  reset(): void {
    this.#tcp?.resetAndDestroy();
  }

  freeze(): void {
    this.#isFrozen = true;
    this.#socket?.pause();
  }

  thaw(): void {
    this.#isFrozen = false;
    this.#socket?.resume();
  }

  sendText(text: string): void {
    this.#socket?.send(text);
  }

  /** The URL to connect to, or undefined when it cannot be one; Twilio leaves the query out. */
  #checkedUrl(): string | undefined {
    const { url, track } = this.#order;
    const { note } = this.#parts;
    if (track !== "inbound_track") return void note(31_941, `<Connect><Stream> has no track ${track}.`);
    if (!URL.canParse(url)) return void note(31_923, `Stream - URL is malformed: ${url}`);
    if (!/^wss?:/i.test(url)) return void note(31_922, `Stream - the scheme is not wss: ${url}`);
    if (url.includes("?")) note(31_923, "Stream - a query string is not supported in the URL and was left out.");
    return url.replace(/[?#].*$/, "");
  }

  #connect(url: string): void {
    const { authToken, routes, note } = this.#parts;
    const target = resolveRoute(url, routes);
    if (!target) {
      note(31_901, `Stream - no route to ${url}`);
      this.#leave();
      return;
    }
    const socket = new WebSocket(target, {
      perMessageDeflate: false,
      headers: {
        ...tunnelHeaders(url),
        "user-agent": "Twilio.TmeWs/1.0",
        "x-twilio-signature": signRequest(authToken, url),
      },
    });
    this.#socket = socket;
    this.#after(CONNECT_WITHIN_MS, () => {
      if (this.#isLive || socket.readyState !== WebSocket.CONNECTING) return;
      note(31_901, `Stream - WebSocket - connection timeout: ${url}`);
      this.terminate();
    });
    socket.on("upgrade", (response) => {
      this.#tcp = response.socket;
    });
    socket.on("unexpected-response", (request, response) => {
      note(31_920, `Stream - WebSocket - handshake error: ${url} answered ${response.statusCode}`);
      this.#isOver = true;
      request.destroy();
      this.#leave();
    });
    socket.on("open", () => this.#start());
    socket.on("message", (data: Buffer, isBinary) => this.#receive(data, isBinary));
    socket.on("error", (error) => {
      if (this.#isLive) note(31_924, `Stream - WebSocket - protocol error: ${error.message}`);
      else if (!this.#isOver) note("code" in error ? 31_901 : 31_920, `Stream - WebSocket: ${error.message}`);
    });
    socket.on("close", (code) => {
      if (this.#isLive) {
        this.#parts.log.add("close", String(code));
        if (code === 1006) note(31_921, "Stream - WebSocket - close error: the connection was lost.");
      }
      this.#leave();
    });
  }

  #start(): void {
    const { accountSid, callSid, log, onStarted } = this.#parts;
    log.add("open", this.#order.url);
    this.#socket?.send(JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" }));
    this.#isLive = true;
    this.#send("start", {
      start: {
        accountSid,
        streamSid: this.sid,
        callSid,
        tracks: ["inbound"],
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
        customParameters: this.#order.parameters,
      },
    });
    if (this.#fate.resetAfterMs !== undefined) this.#after(this.#fate.resetAfterMs, () => this.reset());
    if (this.#fate.freezeAfterMs !== undefined) this.#after(this.#fate.freezeAfterMs, () => this.freeze());
    onStarted();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (!this.#isLive) return;
    const { playout, log, note } = this.#parts;
    try {
      const message = readStreamMessage(data, isBinary, this.sid);
      if (message.event === "media") {
        log.addMedia(message.audio.length);
        playout.enqueue(message.audio);
      } else if (message.event === "mark") {
        log.add("mark", message.name);
        playout.mark(message.name);
      } else {
        log.add("clear");
        this.echoMarks(playout.clear());
      }
    } catch (error) {
      if (!(error instanceof BadStreamMessage)) throw error;
      log.add("malformed", error.message);
      note(error.code, `Stream - ${error.message}`);
      this.end();
    }
  }

  #send(event: string, body: Record<string, unknown>): void {
    if (this.#isFrozen || this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#sequence += 1;
    // The order of the fields is that of captured traffic.
    this.#socket.send(JSON.stringify({ event, sequenceNumber: String(this.#sequence), ...body, streamSid: this.sid }));
  }

  #close(): void {
    this.#isLive = false;
    this.#isOver = true;
    if (this.#socket && !this.#isFrozen) {
      this.#socket.close(1000);
      this.#after(CLOSE_WITHIN_MS, () => this.terminate());
    } else this.terminate();
  }

  #after(delayMs: number, action: () => void): void {
    this.#timers.push(this.#parts.clock.after(delayMs, action));
  }
}
