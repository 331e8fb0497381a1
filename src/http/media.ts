import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { MediaSocket, RawRequest } from "../carriers/carrier.ts";
import { frameHeadBytes, WriteRoom, writeTextFrameHead } from "../core/text-frames.ts";
import { readTexts } from "../core/text-messages.ts";
import type { Logger } from "../hosts/host.ts";
import type { WebhookDesk } from "./doors.ts";
import { type CarrierPath, carrierPath, isOwnHost, ownPath, pathPrefix, splitTarget } from "./paths.ts";
import { notFound, type Problem, publicProblem, rateLimited } from "./problem.ts";
import type { RateLimiter } from "./rate-limit.ts";

/** The largest message that a carrier may send on a media socket, in bytes. A frame of audio has about 300. */
const MAX_MESSAGE_BYTES = 256 * 1024;

/** Bytes of frames that there is room for at first: 300 ms of sound and a mark have 3,700. */
const FIRST_ROOM = 4_096;

/** What the media door needs. */
export interface MediaParts {
  readonly publicUrl: string;
  readonly webhooks: WebhookDesk;
  readonly limiter: RateLimiter;
  readonly logger: Logger;
}

/** Where carriers open media sockets. */
export interface MediaDoor {
  /** Takes an `upgrade` of the HTTP server. Never throws and never rejects. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>;
  /** A path that this door answers with 204 for as long as it is open: proof that upgrades arrive here. */
  readonly probePath: string;
  /** Says goodbye to every socket. */
  close(): void;
}

/** Verifies a media upgrade before it accepts the socket: a stranger gets an HTTP answer and no WebSocket. */
export function mediaDoor({ publicUrl, webhooks, limiter, logger }: MediaParts): MediaDoor {
  const prefix = pathPrefix(publicUrl);
  const frames = new TextFrames();
  const probePath = `/self-test/${crypto.randomUUID()}/stream`;
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    skipUTF8Validation: true,
  });

  async function admit(request: IncomingMessage): Promise<CarrierPath | Refusal | "probe"> {
    const { path, query } = splitTarget(request.url ?? "/");
    const own = ownPath(path, prefix);
    const target = carrierPath(own);
    const account = target && `${target.carrier}/${target.accountId}`;
    const wait = await limiter.take(request.socket.remoteAddress ?? "unknown", account);
    if (wait !== undefined) return { problem: rateLimited(wait), headers: { "retry-after": String(wait) } };
    if (own === probePath) return "probe";
    if (target?.door !== "stream" || !isOwnHost(request.headers.host, publicUrl)) return { problem: notFound() };
    webhooks.verifyMedia(target.carrier, target.accountId, toRaw(request, own + query));
    return target;
  }

  function accept(accountId: string, socket: WebSocket, wire: Duplex): void {
    socket.on("error", (error) => logger.warn("a media socket failed", { accountId, error: String(error) }));
    readTexts(socket, wire, true);
    // Its messages are single Buffers: that is what `nodebuffer`, its default, means.
    const media: MediaSocket = Object.assign(socket, {
      sendAll(texts: readonly Buffer[]) {
        // Nothing of ours is ever compressed or in fragments: whole frames may stand behind each other on the wire.
        if (socket.readyState === socket.OPEN) frames.write(texts, wire);
      },
    });
    webhooks.acceptMedia(accountId, media).catch((error: unknown) => {
      logger.error("a media socket was not taken over", { accountId, error: String(error) });
      socket.terminate();
    });
  }

  return {
    probePath,
    async upgrade(request, socket, head) {
      // Without a listener, a reset by the other side would end the whole process.
      socket.on("error", () => socket.destroy());
      try {
        const target = await admit(request);
        if (target === "probe") return refuse(socket, 204);
        if ("problem" in target) return refuse(socket, target.problem.status, target.problem, target.headers);
        server.handleUpgrade(request, socket, head, (media) => accept(target.accountId, media, socket));
      } catch (error) {
        const problem = publicProblem(error);
        const log = problem.status >= 500 ? logger.error : logger.warn;
        log.call(logger, "a media upgrade was refused", { url: request.url, code: problem.code, error: String(error) });
        refuse(socket, problem.status, problem);
      }
    },
    close() {
      for (const media of server.clients) media.close(1001, "shutting down");
      server.close();
    },
  };
}

// --- Internal helpers ---

/** Writes whole text frames of a server, which are not masked, in one go (RFC 6455, 5.2). */
class TextFrames {
  readonly #room = new WriteRoom(FIRST_ROOM);

  write(texts: readonly Buffer[], wire: Duplex): void {
    let size = 0;
    for (const { length } of texts) size += frameHeadBytes(length) + length;
    this.#room.clear(size);
    const { bytes } = this.#room;
    let at = 0;
    for (const text of texts) {
      at = writeTextFrameHead(bytes, at, text.length, false);
      at += text.copy(bytes, at);
    }
    this.#room.write(0, size, wire);
  }
}

interface Refusal {
  readonly problem: Problem;
  readonly headers?: Readonly<Record<string, string>>;
}

function toRaw(request: IncomingMessage, path: string): RawRequest {
  const headers = Object.entries(request.headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(", ") : value,
  ]);
  return { method: request.method ?? "GET", path, headers: Object.fromEntries(headers), body: "" };
}

/** Answers an upgrade in plain HTTP and closes. */
function refuse(
  socket: Duplex,
  status: number,
  problem?: Problem,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = problem ? JSON.stringify(problem) : "";
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "connection: close",
    ...(problem ? ["content-type: application/problem+json", `content-length: ${Buffer.byteLength(body)}`] : []),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.once("finish", () => socket.destroy());
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}
