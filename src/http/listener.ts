import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { type Clock, sleep } from "../core/clock.ts";
import { PortTakenError } from "../core/errors.ts";
import type { Logger } from "../hosts/host.ts";
import { type AppParts, createApp } from "./app.ts";
import type { CallDesk, WebhookDesk } from "./doors.ts";
import { mediaDoor } from "./media.ts";
import { DEFAULT_RATES, type RateLimits, rateLimiter } from "./rate-limit.ts";
import { proveUpgrades } from "./self-test.ts";

/** What opens a listener. */
export interface ListenerParts {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly apiToken: string;
  readonly publicUrl: string;
  readonly calls: CallDesk;
  readonly webhooks: WebhookDesk;
  /** Sessions that calls belong to, newest first, as the host shows them. */
  readonly sessions: (limit: number) => Promise<readonly unknown[]>;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Numbers for Prometheus; absent: `GET /metrics` is not there. */
  readonly metrics?: NonNullable<AppParts["metrics"]>;
  /** Told of the word that a request for `/health` brings along. */
  readonly onProbe?: (word: string) => void;
  readonly limits?: Partial<ListenerLimits>;
}

/** What a stranger may make us hold. */
export interface ListenerLimits {
  readonly rates: RateLimits;
  /** Sockets at once, media sockets and event streams included. Further ones are closed at once. */
  readonly maxConnections: number;
  /** The head of a request must be here within so many milliseconds. */
  readonly headersTimeoutMs: number;
  /** The whole request must be here within so many milliseconds. */
  readonly requestTimeoutMs: number;
}

/** The open listener: the one owner of the port. */
export interface Listener {
  /** The address that it listens on. */
  readonly host: string;
  /** The port that it got. */
  readonly port: number;
  /** Takes no more requests, lets running ones finish for a moment, then closes every socket. Within 1 s; idempotent. */
  close(): Promise<void>;
}

const DEFAULT_LIMITS: ListenerLimits = {
  rates: DEFAULT_RATES,
  maxConnections: 2_048,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
};

/** A reloading host opens the next listener before the last one's port is free. */
const PORT_RETRIES = 12;
const PORT_RETRY_MS = 200;
/** How long running requests may go on while the listener closes, and how long goodbyes may take. */
const GRACE_MS = 400;

/**
 * Opens the channel's own listener. Resolves when it takes requests and a media upgrade has been seen to arrive,
 * so that no carrier is ever told of a stream that nobody answers.
 * @throws PortTakenError the port was not free for two seconds, or somebody else answers on it
 */
export async function openListener(parts: ListenerParts): Promise<Listener> {
  const { logger, clock } = parts;
  const limits = { ...DEFAULT_LIMITS, ...parts.limits };
  const limiter = rateLimiter(limits.rates);
  const closing = new AbortController();
  const app = createApp({ ...parts, limiter, closing: closing.signal });
  const media = mediaDoor({ ...parts, limiter });

  const server = createServer(
    {
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
    },
    getRequestListener(app.fetch, {
      // The host's process has its own Request and Response.
      overrideGlobalObjects: false,
      errorHandler: () => new Response(null, { status: 400 }),
    }),
  );
  server.maxConnections = limits.maxConnections;
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (request, socket, head) => void media.upgrade(request, socket, head));
  server.on("clientError", rejectClient);

  async function close(): Promise<void> {
    closing.abort();
    media.close();
    const closed = server.listening ? once(server, "close") : undefined;
    server.close();
    server.closeIdleConnections();
    // Real time: a socket's goodbye does not run faster because a test's clock does.
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
    }, GRACE_MS);
    await closed;
    clearTimeout(timer);
    limiter.close();
  }

  try {
    await listen(server, parts.host, parts.port, clock);
    server.on("error", (error) => logger.error("the listener failed", { error: String(error) }));
    const { address, port } = server.address() as AddressInfo;
    await proveUpgrades(media.probePath, address, port);
    let ended: Promise<void> | undefined;
    return {
      host: address,
      port,
      close: () => {
        ended ??= close();
        return ended;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

// --- Internal helpers ---

async function listen(server: Server, host: string, port: number, clock: Clock): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      const listening = once(server, "listening");
      server.listen({ host, port, exclusive: true });
      await listening;
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      if (attempt === PORT_RETRIES) throw new PortTakenError(host, port, { cause: error });
    }
    await sleep(clock, PORT_RETRY_MS);
  }
}

/** Answers what is not HTTP, too large or too slow. */
function rejectClient(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === "HPE_HEADER_OVERFLOW"
      ? "431 Request Header Fields Too Large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "408 Request Timeout"
        : "400 Bad Request";
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
