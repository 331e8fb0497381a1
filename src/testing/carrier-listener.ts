import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { linearToMulaw } from "../audio/g711.ts";
import type { Answer, Carrier, CarrierEvent, MediaLeg, MediaSocket, RawRequest } from "../carriers/carrier.ts";

/** Things that arrive, and whoever waits for them. */
export class Inbox<T> {
  readonly all: T[] = [];
  readonly #waiting = new Set<{ matches: (item: T) => boolean; resolve: (item: T) => void }>();

  push(item: T): void {
    this.all.push(item);
    for (const waiter of this.#waiting) {
      if (!waiter.matches(item)) continue;
      this.#waiting.delete(waiter);
      waiter.resolve(item);
    }
  }

  /** The first item, arrived or yet to arrive, that `matches`. */
  find<S extends T>(matches: (item: T) => item is S): Promise<S>;
  find(matches?: (item: T) => boolean): Promise<T>;
  find(matches: (item: T) => boolean = () => true): Promise<T> {
    const known = this.all.find(matches);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => this.#waiting.add({ matches, resolve }));
  }
}

/** The smallest application that a carrier can call: verifies, parses, answers as told, and takes the media over. */
export interface CarrierListener {
  /** Where it listens, on loopback. */
  readonly url: string;
  /** Whose webhooks these are; set before the first arrives. */
  carrier: Carrier | undefined;
  /** How the next waiting legs are answered. */
  answer: Answer;
  /** Every webhook that was believed. */
  readonly requests: RawRequest[];
  readonly events: Inbox<CarrierEvent>;
  readonly media: Inbox<MediaLeg>;
  /** Whatever went wrong; a passing test leaves it empty. */
  readonly errors: unknown[];
  stop(): Promise<void>;
}

/** Starts an application of its own for a carrier's tests. */
export async function startCarrierListener(): Promise<CarrierListener> {
  const stopped = new AbortController();
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 65_536 });
  const server = createServer((request, response) => {
    receive(request).then(
      (reply) => response.writeHead(reply.status, { "content-type": reply.contentType }).end(reply.body),
      (error: unknown) => {
        listener.errors.push(error);
        response.writeHead(500).end();
      },
    );
  });
  const receive = async (request: IncomingMessage) => {
    const carrier = requireCarrier(listener);
    const verified = carrier.verify(await rawRequest(request));
    const event = carrier.parse(verified);
    listener.requests.push(verified);
    listener.events.push(event);
    if (event.type === "leg.waiting") return carrier.answer(listener.answer);
    if (event.type === "leg.returned") return carrier.answer({ kind: "hang-up" });
    return { status: 204, contentType: "text/plain", body: "" };
  };
  server.on("upgrade", async (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    try {
      const carrier = requireCarrier(listener);
      carrier.verify(await rawRequest(request));
      sockets.handleUpgrade(request, socket, head, (media) => {
        carrier.openMedia(media as MediaSocket, stopped.signal).then(
          (leg) => listener.media.push(leg),
          (error: unknown) => listener.errors.push(error),
        );
      });
    } catch (error) {
      listener.errors.push(error);
      socket.destroy();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const listener: CarrierListener = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    carrier: undefined,
    answer: { kind: "connect", callId: "call_1", token: "token-1" },
    requests: [],
    events: new Inbox(),
    media: new Inbox(),
    errors: [],
    async stop() {
      stopped.abort(new Error("The listener was stopped."));
      for (const media of sockets.clients) media.terminate();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return listener;
}

/** One thing that a media listener was told. */
export interface Heard {
  readonly kind: "audio" | "marked" | "dtmf" | "closed";
  readonly value: string;
}

/** Listens to a leg and keeps what it is told. */
export function hear(media: MediaLeg): Inbox<Heard> {
  const heard = new Inbox<Heard>();
  media.listen({
    audio: (base64) => heard.push({ kind: "audio", value: base64.toString("latin1") }),
    marked: (value) => heard.push({ kind: "marked", value }),
    dtmf: (value) => heard.push({ kind: "dtmf", value }),
    unrecognised: () => {},
    closed: (value) => heard.push({ kind: "closed", value }),
  });
  return heard;
}

/** A frame that is not silence: µ-law silence is 0xff or 0x7f. */
export const isSound = (base64: string) => Buffer.from(base64, "base64").some((byte) => (byte & 0x7f) !== 0x7f);

/** µ-law of a loud square wave. */
export function noise(ms: number): Uint8Array {
  return Uint8Array.from({ length: ms * 8 }, (_, at) => linearToMulaw(at % 16 < 8 ? 12_000 : -12_000));
}

// --- Internal helpers ---

function requireCarrier({ carrier }: CarrierListener): Carrier {
  if (!carrier) throw new Error("A request arrived before the carrier was set.");
  return carrier;
}

async function rawRequest(request: IncomingMessage): Promise<RawRequest> {
  const pieces: Buffer[] = [];
  if (request.method === "POST") for await (const piece of request) pieces.push(piece as Buffer);
  const headers = Object.entries(request.headers).map(([name, value]) => [name, value?.toString()]);
  return {
    method: request.method ?? "GET",
    path: request.url ?? "/",
    headers: Object.fromEntries(headers),
    body: Buffer.concat(pieces).toString("utf8"),
  };
}
