import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { Certificate } from "../../src/testing/tls.ts";
import { acceptWire } from "../wire/socket.ts";
import type { Exchange } from "./exchange.ts";
import { ModelSession } from "./session.ts";

/** Of so many sessions one has a socket that takes `SLOW_MS` to open. */
const SLOW_EVERY = 10;
const SLOW_MS = 300;

/** The speech model and Twilio's REST API, on one port. */
export interface Servers {
  readonly port: number;
  close(): Promise<void>;
}

/** Opens the servers, on TLS where there is a certificate; `current` is the run that they serve. */
export async function openServers(current: () => Exchange | undefined, certificate?: Certificate): Promise<Servers> {
  let sessions = 0;
  const sockets = new Set<Duplex>();
  const rest = (request: IncomingMessage, response: ServerResponse) => answerRest(request, response, current());
  const server = certificate ? createTlsServer(certificate, rest) : createServer(rest);
  server.on("upgrade", (request, socket, head) => {
    const exchange = current();
    if (!exchange || !request.url?.startsWith("/v1/realtime")) return void socket.destroy();
    sockets.add(socket);
    socket.on("error", () => {}); // `close` follows
    socket.on("close", () => sockets.delete(socket));
    sessions += 1;
    const number = sessions;
    const isSlow = number % SLOW_EVERY === 0;
    const accept = () => {
      if (socket.destroyed) return;
      exchange.addSession(new ModelSession(acceptWire(request, socket, head), number, isSlow, exchange));
    };
    if (isSlow) exchange.schedule.after(SLOW_MS, accept);
    else accept();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, close: () => close(server, sockets) };
}

// --- Internal helpers ---

/** Shows and ends calls (Twilio's calls resource). */
function answerRest(request: IncomingMessage, response: ServerResponse, exchange: Exchange | undefined): void {
  const legId = /\/Calls\/(CA[0-9a-f]{32})\.json/.exec(request.url ?? "")?.[1];
  const call = legId === undefined ? undefined : exchange?.legs.get(legId);
  request.resume();
  request.on("end", () => {
    response.setHeader("content-type", "application/json");
    if (!call) {
      response.statusCode = 404;
      return response.end(JSON.stringify({ code: 20404, message: "The resource was not found", status: 404 }));
    }
    if (request.method === "POST") void call.hangUp();
    const status = call.isLive ? "in-progress" : "completed";
    return response.end(JSON.stringify({ sid: legId, status, direction: "inbound" }));
  });
}

function close(server: Server, sockets: ReadonlySet<Duplex>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
