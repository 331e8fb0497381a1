import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { applyMask, FrameReader, frame, headBytes, OPCODE, writeHead } from "./frames.ts";

/** What the owner of a socket hears. */
export interface WireListener {
  /** A whole message; the view is good until the call returns. */
  message(payload: Buffer): void;
  /** The connection is over. */
  closed(): void;
}

/** The two ends of a WebSocket differ in who masks. A relay that saves what it can masks with zeros. */
export type WireRole = "server" | "client" | "client-zero-mask";

const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** One WebSocket, straight on its TCP socket. */
export class WireSocket {
  readonly #socket: Duplex;
  readonly #role: WireRole;
  #listener: WireListener | undefined;
  #isClosing = false;
  /** The last mask; each message gets another one. */
  #mask = Math.floor(Math.random() * 2 ** 32);

  constructor(socket: Duplex, role: WireRole) {
    this.#socket = socket;
    this.#role = role;
    (socket as Socket).setNoDelay(true);
    const reader = new FrameReader((opcode, payload) => this.#take(opcode, payload));
    socket.on("data", (bytes: Buffer) => {
      try {
        reader.push(bytes);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on("error", () => {}); // `close` follows and is what counts
    socket.on("end", () => socket.end());
    socket.on("close", () => this.#listener?.closed());
    socket.pause();
  }

  /** Names who hears this socket; what came before waits until then. */
  listen(listener: WireListener): void {
    this.#listener = listener;
    this.#socket.resume();
  }

  /** Sends a text message of these bytes, which stay the caller's. */
  send(payload: Buffer): void {
    if (!this.#isClosing) this.#socket.write(frame(OPCODE.text, payload, this.#nextMask()));
  }

  /** Sends a message that is `parts` one after another, composed in the buffer that is written. */
  sendParts(...parts: readonly Buffer[]): void {
    if (this.#isClosing) return;
    const mask = this.#nextMask();
    let size = 0;
    for (const part of parts) size += part.length;
    const out = Buffer.allocUnsafe(headBytes(size, mask !== undefined) + size);
    const start = writeHead(out, OPCODE.text, size, mask);
    let at = start;
    for (const part of parts) at += part.copy(out, at);
    if (mask !== undefined) applyMask(out, start, out.length, mask);
    this.#socket.write(out);
  }

  /** Says goodbye and closes. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#socket.end(frame(OPCODE.close, Buffer.from([0x03, 0xe8]), this.#nextMask()));
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#isClosing = true;
    this.#socket.destroy();
  }

  #nextMask(): number | undefined {
    if (this.#role === "server") return undefined;
    if (this.#role === "client-zero-mask") return 0;
    this.#mask = (Math.imul(this.#mask, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#mask;
  }

  #take(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.text || opcode === OPCODE.binary) {
      if (!this.#isClosing) this.#listener?.message(payload);
    } else if (opcode === OPCODE.ping) this.#socket.write(frame(OPCODE.pong, payload, this.#nextMask()));
    else if (opcode === OPCODE.close) {
      if (!this.#isClosing) this.#socket.end(frame(OPCODE.close, payload.subarray(0, 2), this.#nextMask()));
      else this.#socket.end();
      this.#isClosing = true;
    }
  }
}

/** Accepts an upgrade of a `node:http` server. */
export function acceptWire(request: IncomingMessage, socket: Duplex, head: Buffer): WireSocket {
  const key = String(request.headers["sec-websocket-key"]);
  const accept = createHash("sha1")
    .update(key + HANDSHAKE_GUID)
    .digest("base64");
  if (head.length > 0) socket.unshift(head);
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  socket.write(`${[...lines, `Sec-WebSocket-Accept: ${accept}`].join("\r\n")}\r\n\r\n`);
  return new WireSocket(socket, "server");
}

/** Where and as whom a client connects. */
export interface WireTarget {
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly role?: Exclude<WireRole, "server">;
  readonly tls?: boolean;
}

/** Opens a WebSocket on loopback. @throws Error it was refused */
export function connectWire({
  port,
  path,
  headers = {},
  role = "client",
  tls = false,
}: WireTarget): Promise<WireSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls ? connectTls({ host: "127.0.0.1", port }) : connect({ host: "127.0.0.1", port });
    const fields = {
      Host: `127.0.0.1:${port}`,
      Upgrade: "websocket",
      Connection: "Upgrade",
      "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
      "Sec-WebSocket-Version": "13",
      ...headers,
    };
    socket.write(
      `GET ${path} HTTP/1.1\r\n${Object.entries(fields)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join("")}\r\n`,
    );
    let answer = Buffer.alloc(0);
    const onData = (bytes: Buffer) => {
      answer = Buffer.concat([answer, bytes]);
      const end = answer.indexOf("\r\n\r\n");
      if (end < 0) return;
      settle();
      const status = answer.toString("latin1", 0, answer.indexOf("\r\n"));
      if (!status.startsWith("HTTP/1.1 101")) {
        socket.destroy();
        return reject(new Error(`The WebSocket at ${path} was refused: ${status}`));
      }
      const rest = answer.subarray(end + 4);
      const wire = new WireSocket(socket, role);
      if (rest.length > 0) socket.unshift(rest);
      resolve(wire);
    };
    const onClose = () => {
      settle();
      reject(new Error(`The WebSocket at ${path} was closed before it opened.`));
    };
    const onError = () => {}; // `close` follows
    const settle = () => {
      socket.off("data", onData);
      socket.off("close", onClose);
      socket.off("error", onError);
    };
    socket.on("data", onData);
    socket.on("close", onClose);
    socket.on("error", onError);
  });
}
