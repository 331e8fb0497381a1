import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { encodeMulaw } from "../../../src/audio/g711.ts";
import type { Voice } from "../../../src/testing/phone-network/index.ts";

export const PUBLIC_URL = "https://voice.example.com";

/** A request that reached the application. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly method: string;
  readonly params: Record<string, string>;
}

/** Answers one webhook; a string is TwiML. */
export type Handler = (request: Received) => Reply | Promise<Reply>;
export type Reply = string | { status?: number; type?: string; body?: string };

export interface Application {
  readonly baseUrl: string;
  readonly received: Received[];
  /** Upgrade requests, accepted or not. */
  readonly upgrades: { path: string; headers: IncomingMessage["headers"] }[];
  handlers: Record<string, Handler>;
  /** What to do with each media stream. */
  onStream: (socket: WebSocket, messages: StreamEvent[]) => void;
  /** Refuses upgrades with this status. */
  refuseUpgrade: number | undefined;
  /** Resolves when `count` requests to `path` have arrived. */
  arrived(path: string, count?: number): Promise<Received[]>;
  stop(): Promise<void>;
}

/** A message of the network on a stream, parsed. */
export interface StreamEvent {
  readonly event: string;
  readonly sequenceNumber: string;
  readonly streamSid: string;
  readonly start: Record<string, unknown>;
  readonly media: { track: string; chunk: string; timestamp: string; payload: string };
  readonly mark: { name: string };
  readonly dtmf: { track: string; digit: string };
  readonly stop: Record<string, string>;
}

/** A small application on real sockets: webhooks by path, media streams at any path. */
export async function startApplication(): Promise<Application> {
  const watchers = new Set<() => void>();
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const url = new URL(request.url ?? "/", "http://loopback");
    const form = request.method === "POST" ? new URLSearchParams(Buffer.concat(pieces).toString()) : url.searchParams;
    const received = {
      path: url.pathname,
      headers: request.headers,
      method: request.method ?? "",
      params: Object.fromEntries(form),
    };
    application.received.push(received);
    for (const watch of watchers) watch();
    const reply = (await application.handlers[url.pathname]?.(received)) ?? { status: 404 };
    const { status = 200, type = "text/xml", body = "" } = typeof reply === "string" ? { body: reply } : reply;
    response.writeHead(status, { "content-type": type }).end(body);
  });
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  server.on("upgrade", (request, tcp, head) => {
    application.upgrades.push({ path: request.url ?? "", headers: request.headers });
    if (application.refuseUpgrade) {
      tcp.end(`HTTP/1.1 ${application.refuseUpgrade} No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, tcp, head, (socket) => {
      const messages: StreamEvent[] = [];
      socket.on("error", () => {});
      socket.on("message", (data: Buffer) => messages.push(JSON.parse(data.toString()) as StreamEvent));
      application.onStream(socket, messages);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const application: Application = {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: [],
    upgrades: [],
    handlers: {},
    onStream: () => {},
    refuseUpgrade: undefined,
    arrived(path, count = 1) {
      const { promise, resolve } = Promise.withResolvers<Received[]>();
      const watch = () => {
        const found = application.received.filter((request) => request.path === path);
        if (found.length < count) return;
        watchers.delete(watch);
        resolve(found);
      };
      watchers.add(watch);
      watch();
      return promise;
    },
    async stop() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return application;
}

/** TwiML that connects a media stream to the application. */
export const connectStream = (parameters = "", tail = "") =>
  `<Response><Connect><Stream url="wss://voice.example.com/stream">${parameters}</Stream></Connect>${tail}</Response>`;

/** Sends one message of the application on a stream. */
export function sendOn(socket: WebSocket, streamSid: string, event: string, body: Record<string, unknown> = {}): void {
  socket.send(JSON.stringify({ event, streamSid, ...body }));
}

/** Sends samples on a stream as one piece of µ-law. */
export function playOn(socket: WebSocket, streamSid: string, samples: Int16Array): void {
  sendOn(socket, streamSid, "media", { media: { payload: Buffer.from(encodeMulaw(samples)).toString("base64") } });
}

/** Resolves with the first message that `matches`, past or future. */
export function streamEvent(
  socket: WebSocket,
  messages: StreamEvent[],
  matches: (message: StreamEvent) => boolean,
): Promise<StreamEvent> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const found = messages.find(matches);
      if (found) resolve(found);
      return found !== undefined;
    };
    if (look()) return;
    socket.on("message", look);
    socket.on("close", () => reject(new Error("The stream closed first.")));
  });
}

/** A 400 Hz tone at −12 dBFS. */
export function tone(ms: number, hertz = 400): Int16Array {
  return Int16Array.from({ length: ms * 8 }, (_, i) => Math.round(8_000 * Math.sin((2 * Math.PI * hertz * i) / 8_000)));
}

/** A voice without words: 20 ms of tone for each character. */
export const toneVoice: Voice = { speak: async (text) => tone(text.length * 20, 300) };
