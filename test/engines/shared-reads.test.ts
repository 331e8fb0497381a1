import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { readTexts } from "../../src/core/text-messages.ts";
import { SharedReads } from "../../src/engines/shared-reads.ts";
import { selfSignedCertificate } from "../../src/testing/tls.ts";

const LOCAL = "127.0.0.1";
const closings: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

async function listen(server: Server): Promise<number> {
  server.listen(0, LOCAL);
  await once(server, "listening");
  closings.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** What one side sends: a text or bytes, whole or in parts, and pings. */
type Sent = { readonly as: "text" | "binary" | "ping"; readonly parts: readonly string[] };

function send(socket: WebSocket, { as, parts }: Sent): void {
  if (as === "ping") socket.ping(parts[0]?.slice(0, 100));
  else
    for (const [i, part] of parts.entries())
      socket.send(part, { binary: as === "binary", fin: i === parts.length - 1 });
}

const expected = (all: readonly Sent[]) =>
  all.map(({ as, parts }) => `${as} ${as === "ping" ? (parts[0] as string).slice(0, 100) : parts.join("")}`);

const letters = fc.string({ unit: fc.constantFrom("a", "b", "c", "{", '"'), maxLength: 300 });
const part = fc.oneof(
  { weight: 6, arbitrary: letters },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 200_000 }).map((size) => String(size % 10).repeat(size)) },
);
const sent: fc.Arbitrary<Sent> = fc.record({
  as: fc.constantFrom("text", "text", "text", "binary", "ping"),
  parts: fc.oneof(
    { weight: 5, arbitrary: fc.tuple(part) },
    { weight: 1, arbitrary: fc.array(part, { minLength: 2, maxLength: 3 }) },
  ),
});

describe.each([
  ["plain", false],
  ["TLS", true],
])("over %s connections", (_, secure) => {
  /** A server that sends to each client the list that its path names, at once: some of it comes with the handshake. */
  async function serve(lists: readonly (readonly Sent[])[]) {
    const certificate = secure ? await selfSignedCertificate(LOCAL) : undefined;
    const server = certificate ? createTlsServer(certificate) : createServer();
    const sockets = new WebSocketServer({ server, perMessageDeflate: false });
    sockets.on("connection", (socket: WebSocket, request: IncomingMessage) => {
      for (const message of lists[Number(request.url?.slice(1))] as readonly Sent[]) send(socket, message);
      socket.close(1000);
    });
    return { port: await listen(server), ca: certificate?.cert };
  }

  function receive(reads: SharedReads, url: string, ca: string | undefined): Promise<string[]> {
    const heard: string[] = [];
    const client = new WebSocket(url, {
      perMessageDeflate: false,
      createConnection: ((asked: object) => reads.connect({ ...asked, ca } as never, secure)) as never,
    });
    client.once("upgrade", (response) => client.once("open", () => readTexts(client, response.socket, false, reads)));
    client.on("message", (data, isBinary) => heard.push(`${isBinary ? "binary" : "text"} ${data}`));
    client.on("ping", (data) => heard.push(`ping ${data}`));
    return new Promise((resolve, reject) => {
      client.on("error", reject);
      client.on("close", () => resolve(heard));
    });
  }

  test("all that is sent arrives in order, also when several read in turn", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(sent, { maxLength: 8 }), { minLength: 1, maxLength: 3 }), async (lists) => {
        const { port, ca } = await serve(lists);
        const reads = new SharedReads();
        const url = (i: number) => `${secure ? "wss" : "ws"}://${LOCAL}:${port}/${i}`;
        const heard = await Promise.all(lists.map((_, i) => receive(reads, url(i), ca)));
        expect(heard).toEqual(lists.map(expected));
        for (const close of closings.splice(0)) await close();
      }),
      { numRuns: secure ? 10 : 30 },
    );
  });
});

test("what is read once it is tapped is in the same memory for all, and the stream is given none of it", async () => {
  const server = createTcpServer();
  server.listen(0, LOCAL);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const accepted: Socket[] = [];
  server.on("connection", (socket) => accepted.push(socket));
  const reads = new SharedReads();
  const views: ArrayBufferLike[] = [];
  const streamed: string[] = [];
  const [one, other] = [reads.connect({ port, host: LOCAL }, false), reads.connect({ port, host: LOCAL }, false)];
  for (const socket of [one, other]) socket.on("data", (bytes) => streamed.push(String(bytes)));
  await Promise.all([once(one, "connect"), once(other, "connect")]);
  while (accepted.length < 2) await once(server, "connection");

  for (const socket of accepted) socket.write("before");
  while (streamed.length < 2) await Promise.race([once(one, "data"), once(other, "data")]);
  const taken = Promise.withResolvers<void>();
  for (const socket of [one, other]) {
    reads.tap(socket, (bytes) => {
      views.push(bytes.buffer);
      if (views.length === 2) taken.resolve();
    });
  }
  for (const socket of accepted) socket.write("after");
  await taken.promise;
  expect(streamed).toEqual(["before", "before"]);
  expect(new Set(views).size).toBe(1);

  for (const socket of [...accepted, one, other]) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test.each([
  ["localhost", "localhost"],
  [LOCAL, ""],
])("a handshake with %s names %j: an address is no name", async (host, named) => {
  const certificate = await selfSignedCertificate("localhost");
  const names: string[] = [];
  const server = createTlsServer(certificate);
  const port = await listen(server);
  server.on("secureConnection", (socket) => names.push(socket.servername || ""));
  const socket = new SharedReads().connect({ port, host, rejectUnauthorized: false } as never, true);
  socket.on("error", () => {});
  expect(socket).toBeInstanceOf(TLSSocket);
  const [secured] = await once(server, "secureConnection");
  expect(names).toEqual([named]);
  socket.destroy();
  (secured as TLSSocket).destroy();
});
