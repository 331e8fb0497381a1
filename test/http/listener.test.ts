import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { AccountUnavailableError, PortTakenError } from "../../src/core/errors.ts";
import { type Listener, type ListenerParts, openListener } from "../../src/http/listener.ts";
import { proveUpgrades } from "../../src/http/self-test.ts";
import { LinesLogger, PUBLIC_URL, ScriptedCalls, ScriptedWebhooks, summary, TOKEN } from "./desks.ts";

let calls: ScriptedCalls;
let webhooks: ScriptedWebhooks;
let logger: LinesLogger;
let listener: Listener | undefined;

async function open(changes: Partial<ListenerParts> = {}): Promise<Listener> {
  const parts = { host: "127.0.0.1", port: 0, apiToken: TOKEN, publicUrl: PUBLIC_URL, calls, webhooks, logger };
  listener = await openListener({ ...parts, sessions: async () => [], clock: systemClock(), ...changes });
  return listener;
}

beforeEach(() => {
  calls = new ScriptedCalls();
  webhooks = new ScriptedWebhooks();
  logger = new LinesLogger();
});
afterEach(async () => {
  await listener?.close();
  listener = undefined;
});

const headers = { authorization: `Bearer ${TOKEN}` };
const dial = (
  { port }: Listener,
  path = "/twilio/default/stream",
  more: Record<string, string> = { "x-signature": "good" },
) => new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: more, perMessageDeflate: true });

/** What a refused upgrade is answered with. */
async function refusal(socket: WebSocket): Promise<{ status: number | undefined; code: string }> {
  const [, answer] = await once(socket, "unexpected-response");
  let body = "";
  for await (const chunk of answer) body += chunk;
  return { status: answer.statusCode, code: JSON.parse(body).code };
}

/** Everything that a raw socket hears until it is closed. */
async function hear(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => (text += chunk)).on("error", () => {});
  if (!socket.destroyed) await once(socket, "close");
  return text;
}

function openHandles(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => /TCP|Timeout/.test(name))
    .sort();
}

describe("media sockets", () => {
  test("an upgrade is verified, then taken over, uncompressed, both kinds of message both ways", async () => {
    const socket = dial(await open({ publicUrl: `${PUBLIC_URL}/phone` }), "/phone/twilio/default/stream?x=1");
    await once(socket, "open");
    expect(socket.extensions).toBe("");
    expect(webhooks.requests[0]).toMatchObject({
      carrier: "twilio",
      accountId: "default",
      request: { method: "GET", path: "/twilio/default/stream?x=1", body: "" },
    });
    socket.send("hello");
    expect(String((await once(socket, "message"))[0])).toBe("echo hello");
    socket.send(Buffer.from([1, 2]));
    expect(await once(socket, "message")).toEqual([Buffer.from([1, 2]), true]);
    socket.close();
    await once(webhooks.news, "closed");
  });

  test("a stranger gets an answer and no socket", async () => {
    const { port } = await open();
    const at = listener as Listener;
    expect(await refusal(dial(at, undefined, { "x-signature": "bad" }))).toEqual({
      status: 403,
      code: "invalid_signature",
    });
    expect(await refusal(dial(at, "/twilio/default/voice"))).toEqual({ status: 404, code: "not_found" });
    expect(await refusal(dial(at, "/status", headers))).toEqual({ status: 404, code: "not_found" });
    expect(await refusal(dial(at, undefined, { host: `evil.example:${port}` }))).toEqual({
      status: 404,
      code: "not_found",
    });
    webhooks.failure = new AccountUnavailableError("no account default");
    expect(await refusal(dial(at))).toEqual({ status: 404, code: "account_unavailable" });
    webhooks.failure = new Error("a fault of ours");
    expect(await refusal(dial(at))).toEqual({ status: 500, code: "internal_error" });
    expect(webhooks.sockets).toEqual([]);
  });

  test("an oversized message ends that socket alone", async () => {
    const at = await open();
    const [bad, good] = [dial(at), dial(at)];
    await Promise.all([once(bad, "open"), once(good, "open")]);
    bad.send(Buffer.alloc(256 * 1024 + 1));
    expect((await once(bad, "close"))[0]).toBe(1009);
    good.send("still there");
    expect(String((await once(good, "message"))[0])).toBe("echo still there");
  });

  test("a reset in the middle of the handshake or of the talk harms nobody", async () => {
    const at = await open();
    const raw = connect(at.port, "127.0.0.1");
    raw.write(
      "GET /twilio/default/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    raw.resetAndDestroy();
    const socket = dial(at);
    await once(socket, "open");
    expect(webhooks.sockets).toHaveLength(1);
    const closed = once(webhooks.news, "closed");
    (socket as unknown as { _socket: Socket })._socket.resetAndDestroy();
    socket.on("error", () => {});
    expect((await closed)[0]).toBe(1006);
    expect((await fetch(`http://127.0.0.1:${at.port}/health`)).status).toBe(200);
  });

  test("a desk that fails to take a socket over costs that socket", async () => {
    webhooks.acceptMedia = () => Promise.reject(new Error("no call"));
    const socket = dial(await open());
    await once(socket, "close");
    expect(JSON.stringify(logger.lines)).toContain("no call");
  });

  test("upgrades count against the rate limit", async () => {
    const at = await open({ limits: { rates: { perAddress: 100, perAccount: 1 } } });
    const socket = dial(at);
    await once(socket, "open");
    expect(await refusal(dial(at))).toEqual({ status: 429, code: "rate_limited" });
  });

  test("case 3: a port on which upgrades do not reach us is found out before any stream is offered", async () => {
    const other = createServer((_request, answer) => answer.writeHead(404).end()).listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    await expect(proveUpgrades("/self-test/1/stream", "127.0.0.1", port)).rejects.toThrow(PortTakenError);
    other.close();
    await once(other, "close");
    await expect(proveUpgrades("/self-test/1/stream", "127.0.0.1", port)).rejects.toThrow(PortTakenError);
  });
});

/** Every wait is over at once. */
const instant: Clock = {
  now: () => 0,
  after: (_delayMs, action) => {
    setImmediate(action);
    return { stop() {} };
  },
  every: () => ({ stop() {} }),
};

describe("the port", () => {
  test("case 22: a taken port is one clear error, and the listener that has it goes on", async () => {
    const first = await open();
    await expect(open({ port: first.port, clock: instant })).rejects.toThrow(
      `listen.port: 127.0.0.1:${first.port} is taken by another process. Stop that process or set another port.`,
    );
    expect((await fetch(`http://127.0.0.1:${first.port}/health`)).status).toBe(200);
    listener = first;
  });

  test("case 22: a port that is being freed is waited for", async () => {
    const first = await open();
    let waits = 0;
    const freeing: Clock = {
      ...instant,
      after(_delayMs, action) {
        if (++waits === 2) void first.close().then(action);
        else setImmediate(action);
        return { stop() {} };
      },
    };
    const second = await open({ port: first.port, clock: freeing });
    expect([second.port, waits]).toEqual([first.port, 2]);
  });
});

describe("limits", () => {
  test("what is not HTTP, too large or too slow is answered and closed", async () => {
    const { port } = await open({ limits: { headersTimeoutMs: 100, requestTimeoutMs: 100 } });
    const say = (text: string) => {
      const socket = connect(port, "127.0.0.1");
      socket.write(text);
      return hear(socket);
    };
    const start = "GET /health HTTP/1.1\r\nHost: localhost\r\n";
    expect(await say("\x16\x03\x01 hello\r\n\r\n")).toMatch(/^HTTP\/1.1 400/);
    expect(await say("GET /health HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1.1 400/);
    expect(await say(`${start}x: ${"y".repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/);
    expect(await say(start)).toMatch(/^HTTP\/1.1 408/);
    expect(await say("POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")).toMatch(
      /^HTTP\/1.1 408/,
    );
  });

  test("an announced body that is too large is refused before it is sent", async () => {
    const { port } = await open();
    const request = httpRequest({ port, host: "127.0.0.1", path: "/webhook", method: "POST" });
    request.on("error", () => {}).setHeader("content-length", 10_000_000);
    request.flushHeaders();
    const [answer] = await once(request, "response");
    expect([answer.statusCode, answer.headers.connection]).toEqual([413, "close"]);
    request.destroy();
  });

  test("connections beyond the limit are closed at once", async () => {
    const { port } = await open({ limits: { maxConnections: 1 } });
    const first = connect(port, "127.0.0.1");
    await once(first, "connect");
    expect(await hear(connect(port, "127.0.0.1"))).toBe("");
    first.destroy();
  });
});

describe("a call's events", () => {
  const reason = "agent_ended";
  const follow = (seq?: number, signal?: AbortSignal) =>
    fetch(`http://127.0.0.1:${listener?.port}/call/call_1/events`, {
      headers: { ...headers, ...(seq !== undefined && { "last-event-id": String(seq) }) },
      ...(signal && { signal }),
    });

  test("past and present entries arrive in order, and the stream ends with the call", async () => {
    await open();
    calls.add({ type: "leg.ringing", atMs: 1 });
    const answer = await follow();
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    calls.add({ type: "leg.answered", atMs: 2 });
    calls.add({ type: "call.ended", atMs: 3, reason, longestSilenceMs: 0 });
    const text = await answer.text();
    expect(
      [...text.matchAll(/^id: (\d)\nevent: (\S+)\ndata: (.+)\n\n/gm)].map(([, id, type, data]) => [id, type, data]),
    ).toEqual(calls.journal.map(({ seq, event }) => [String(seq), event.type, JSON.stringify(event)]));
    expect(calls.followers).toBe(0);
  });

  test("a reader goes on after its last event", async () => {
    await open();
    calls.add({ type: "leg.ringing", atMs: 1 });
    calls.add({ type: "call.ended", atMs: 3, reason, longestSilenceMs: 0 });
    expect([...(await (await follow(1)).text()).matchAll(/^id: (\d)/gm)].map(([, id]) => id)).toEqual(["2"]);
    expect((await follow(-1)).status).toBe(400);
  });

  test("an unknown call is a 404 and not an empty stream", async () => {
    const { port } = await open();
    expect((await fetch(`http://127.0.0.1:${port}/call/call_9/events`, { headers })).status).toBe(404);
  });

  test("a heartbeat keeps a quiet stream open, and a reader who leaves is let go", async () => {
    await open({ clock: systemClock({ speed: 1_000 }) });
    const leaving = new AbortController();
    const reader = ((await follow(0, leaving.signal)).body as ReadableStream<Uint8Array>).getReader();
    let text = "";
    while (!text.includes(": still here")) text += Buffer.from((await reader.read()).value as Uint8Array).toString();
    const left = once(calls.news, "left");
    leaving.abort();
    await left;
    expect(calls.followers).toBe(0);
  });
});

describe("closing", () => {
  test("every socket is closed within a second and nothing is left", async () => {
    const before = openHandles();
    const at = await open();
    const socket = dial(at);
    await once(socket, "open");
    const stream = await fetch(`http://127.0.0.1:${at.port}/call/call_1/events`, { headers });
    const idle = connect(at.port, "127.0.0.1");
    await once(idle, "connect");
    const goodbyes = Promise.all([once(socket, "close"), stream.text().catch(() => ""), hear(idle)]);
    const startedAt = performance.now();
    await at.close();
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    const [[code]] = await goodbyes;
    expect(code).toBe(1001);
    expect(calls.followers).toBe(0);
    await expect(fetch(`http://127.0.0.1:${at.port}/health`)).rejects.toThrow();
    await at.close();
    expect(openHandles().filter((name) => !before.includes(name))).toEqual([]);
  });

  test("a request that runs is answered before its socket goes", async () => {
    const at = await open();
    const running = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    calls.endCall = async () => {
      running.resolve();
      await go.promise;
      return { call: summary({ state: "ended" }), confirmed: true };
    };
    const answer = fetch(`http://127.0.0.1:${at.port}/call/call_1`, { method: "DELETE", headers });
    await running.promise;
    const closed = at.close();
    go.resolve();
    expect((await answer).status).toBe(200);
    await closed;
  });
});
