import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import {
  AccountUnavailableError,
  CallOverError,
  CarrierRefusedError,
  InvalidRequestError,
  LimitReachedError,
  SecretMissingError,
} from "../../src/core/errors.ts";
import { createApp } from "../../src/http/app.ts";
import { type RateLimiter, rateLimiter } from "../../src/http/rate-limit.ts";
import { LinesLogger, link, PUBLIC_URL, ScriptedCalls, ScriptedWebhooks, TOKEN } from "./desks.ts";

let calls: ScriptedCalls;
let webhooks: ScriptedWebhooks;
let logger: LinesLogger;
let limiter: RateLimiter;
let app: ReturnType<typeof createApp>;

function create({ publicUrl = PUBLIC_URL, rates = { perAddress: 5_000, perAccount: 5_000 } } = {}) {
  limiter?.close();
  limiter = rateLimiter(rates);
  app = createApp({
    apiToken: TOKEN,
    publicUrl,
    calls,
    webhooks,
    logger,
    limiter,
    clock: systemClock(),
    sessions: async (limit) => [{ key: "agent:main", limit }],
    closing: new AbortController().signal,
  });
}

beforeEach(() => {
  calls = new ScriptedCalls();
  webhooks = new ScriptedWebhooks();
  logger = new LinesLogger();
  create();
});
afterEach(() => limiter.close());

const bearer = { authorization: `Bearer ${TOKEN}` };
const api = (path: string, init: RequestInit = {}) =>
  app.request(path, { ...init, headers: { ...bearer, ...(init.headers as Record<string, string>) } });
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  api(path, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
const carrierPost = (path: string, headers: Record<string, string> = {}) =>
  app.request(path, { method: "POST", body: "CallSid=CA1", headers: { "x-signature": "good", ...headers } });

describe("who may come in", () => {
  const apiRequests: [string, string][] = [
    ["GET", "/status"],
    ["GET", "/calls"],
    ["GET", "/calls/call_1"],
    ["GET", "/calls/call_1/transcript"],
    ["GET", "/calls/call_1/recording"],
    ["POST", "/call"],
    ["DELETE", "/call/call_1"],
    ["POST", "/call/call_1/say"],
    ["POST", "/call/call_1/dtmf"],
    ["POST", "/call/call_1/instructions"],
    ["POST", "/call/call_1/recording"],
    ["GET", "/call/call_1/events"],
    ["POST", "/erase"],
    ["GET", "/links"],
    ["DELETE", "/links/+15550001111"],
    ["GET", "/openclaw/sessions"],
    ["GET", "/openclaw/anything"],
  ];
  test.each(apiRequests)("%s %s needs the token", async (method, path) => {
    for (const authorization of [undefined, "Bearer wrong", `Basic ${TOKEN}`, `Bearer ${TOKEN}x`, "Bearer "]) {
      const answer = await app.request(path, { method, headers: authorization ? { authorization } : {} });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      expect(await answer.json()).toMatchObject({ code: "unauthorized", status: 401, retryable: false });
    }
  });

  test("health tells anybody that we live, and no more", async () => {
    const answer = await app.request("/health", { headers: { "x-forwarded-for": "9.9.9.9" } });
    expect([answer.status, await answer.json()]).toEqual([200, { status: "ok" }]);
  });

  test.each(["x-forwarded-for", "X-Forwarded-Host", "forwarded"])(
    "a request through a proxy (%s) does not reach the API, token or not",
    async (header) => {
      expect((await api("/status", { headers: { [header]: "for=1.2.3.4" } })).status).toBe(404);
      expect((await carrierPost("/twilio/default/voice", { [header]: "1.2.3.4" })).status).toBe(200);
    },
  );

  test("only our own names get an answer, with any port", async () => {
    const statusFor = async (host: string) => (await api("/status", { headers: { host } })).status;
    for (const host of ["localhost:1", "127.0.0.1:8080", "[::1]:9", "voice.example.com", "VOICE.example.com:443"]) {
      expect(await statusFor(host)).toBe(200);
    }
    for (const host of [
      "evil.example",
      "localhost.evil.example",
      "127.0.0.1@evil.example",
      "10.0.0.1",
      ":80",
      "[::2]",
    ]) {
      expect(await statusFor(host)).toBe(404);
      expect((await carrierPost("/twilio/default/voice", { host })).status).toBe(404);
    }
  });

  test("no host and no header makes us fail", async () => {
    create({ rates: { perAddress: 1e6, perAccount: 1e6 } });
    const paths = fc.constantFrom(
      "/health",
      "/status",
      "/calls",
      "/call/%E0%A4%A",
      "/twilio/default/voice",
      "/webhook",
      "//x",
    );
    const names = fc.constantFrom(
      "host",
      "forwarded",
      "authorization",
      "last-event-id",
      "content-type",
      "content-length",
    );
    await fc.assert(
      fc.asyncProperty(
        paths,
        fc.constantFrom("GET", "POST", "DELETE", "PUT"),
        fc.dictionary(names, fc.oneof(fc.string(), fc.webUrl(), fc.domain(), fc.ipV6())),
        async (path, method, raw) => {
          const headers = new Headers();
          for (const [name, value] of Object.entries(raw)) {
            if (/^[\x20-\x7e]*$/.test(value)) headers.set(name, value);
          }
          const answer = await app.request(`http://localhost${path}`, { method, headers });
          expect(answer.status).toBeLessThan(500);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("the rate limit comes before the token", async () => {
    create({ rates: { perAddress: 3, perAccount: 100 } });
    for (let i = 0; i < 3; i++) expect((await app.request("/status")).status).toBe(401);
    const answer = await api("/status");
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await answer.json()).toMatchObject({ code: "rate_limited", retryable: true });
  });

  test("one account's flood does not shut out another", async () => {
    create({ rates: { perAddress: 1_000, perAccount: 2 } });
    for (let i = 0; i < 2; i++) expect((await carrierPost("/twilio/a/voice")).status).toBe(200);
    expect((await carrierPost("/twilio/a/status")).status).toBe(429);
    expect((await carrierPost("/twilio/b/voice")).status).toBe(200);
  });
});

describe("webhooks", () => {
  test("a carrier's request arrives as it was sent, and its reply goes back as it is", async () => {
    const answer = await carrierPost("/twilio/default/voice?b=2&a=%2B1");
    expect(await answer.text()).toBe("<Response><Hangup/></Response>");
    expect(answer.headers.get("content-type")).toBe("text/xml");
    const [seen] = webhooks.requests;
    expect(seen).toMatchObject({ carrier: "twilio", accountId: "default" });
    expect(seen?.request).toMatchObject({
      method: "POST",
      path: "/twilio/default/voice?b=2&a=%2B1",
      body: "CallSid=CA1",
    });
  });

  test.each(["/phone/twilio/default/voice?x=1", "/twilio/default/voice?x=1"])(
    "publicUrl's own path is cut off, whether or not a proxy did so: %s",
    async (path) => {
      create({ publicUrl: `${PUBLIC_URL}/phone` });
      expect((await carrierPost(path)).status).toBe(200);
      expect(webhooks.requests[0]?.request.path).toBe("/twilio/default/voice?x=1");
    },
  );

  test("a publicUrl that ends in the carrier's name is cut off only once", async () => {
    create({ publicUrl: `${PUBLIC_URL}/twilio` });
    for (const path of ["/twilio/twilio/default/voice", "/twilio/default/voice"]) await carrierPost(path);
    expect(webhooks.requests.map(({ request }) => request.path)).toEqual(Array(2).fill("/twilio/default/voice"));
  });

  test.each([
    [new AccountUnavailableError("no account x; running: default"), 404, "account_unavailable"],
    [new SecretMissingError("accounts.x.carrier.authToken"), 403, "secret_missing"],
    [new InvalidRequestError("CallSid", "is missing"), 400, "invalid_request"],
    [new Error("table calls is broken"), 500, "internal_error"],
  ])("what fails is answered by whose fault it is: %s", async (failure, status, code) => {
    webhooks.failure = failure;
    const answer = await carrierPost("/twilio/x/voice");
    const body = await answer.text();
    expect(answer.status).toBe(status);
    expect(JSON.parse(body)).toMatchObject({ code, status });
    expect(body).not.toMatch(/authToken|running: default|table calls/);
    expect(JSON.stringify(logger.lines)).toContain(failure.message);
  });

  test("case 15: a bad signature is refused before anything is believed", async () => {
    expect((await carrierPost("/twilio/default/voice", { "x-signature": "bad" })).status).toBe(403);
    expect(webhooks.requests).toEqual([]);
  });

  test("the engine provider's webhook needs its signature and the body as sent", async () => {
    const send = (signature: string) =>
      app.request("/webhook", { method: "POST", body: '{ "id": 1 }', headers: { "webhook-signature": signature } });
    expect((await send("v1,bad")).status).toBe(403);
    expect((await send("v1,good")).status).toBe(200);
    expect(webhooks.engineBodies).toEqual(['{ "id": 1 }']);
  });

  test("an oversized body is refused, announced or not", async () => {
    const big = "x".repeat(64 * 1024 + 1);
    for (const path of ["/twilio/default/voice", "/webhook"]) {
      const announced = { method: "POST", body: big, headers: { "content-length": String(big.length) } };
      const endless = new ReadableStream({ pull: (stream) => stream.enqueue(new Uint8Array(8_192)) });
      expect((await app.request(path, announced)).status).toBe(413);
      expect((await app.request(path, { method: "POST", body: endless, duplex: "half" })).status).toBe(413);
    }
    expect(webhooks.requests).toEqual([]);
  });
});

describe("the API", () => {
  test("places a call once per idempotency key", async () => {
    const order = {
      ...{ to: "+1 (555) 000-1111", message: "Hi.", purpose: "say hi", accountId: "a", from: "+15550001234" },
      continues: "agent:main:direct:ann",
    };
    const answer = await post("/call", order, { "idempotency-key": "k-1" });
    expect([answer.status, await answer.json()]).toMatchObject([201, { callId: "call_1", state: "dialing" }]);
    expect(calls.placed).toEqual([{ ...order, to: "+15550001111", requestId: "k-1" }]);
  });

  test.each([
    [{}, "to: is required and missing"],
    [{ to: "555" }, 'to: "555" is not a telephone number'],
    [{ to: 5 }, "to: "],
    [
      { to: "+15550001111", mesage: "x" },
      "mesage: there is no such field. Known fields: to, message, from, accountId, purpose, continues.",
    ],
    [{ to: "+15550001111", message: "" }, "message: must not be empty"],
    [[], "body: "],
    ["{", "body: is not valid JSON"],
  ])("a wrong order %j names its field", async (order, message) => {
    const answer = await post("/call", order);
    const problem = (await answer.json()) as { message: string };
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(problem.message).toContain(message);
    expect(calls.placed).toEqual([]);
  });

  test("only JSON is read", async () => {
    expect((await post("/call", { to: "+15550001111" }, { "content-type": "text/plain" })).status).toBe(415);
  });

  test.each([
    [new CarrierRefusedError("21215", "No permission.", "Enable it."), 502, false],
    [new LimitReachedError("placementsPerMinute", 5), 429, true],
  ])("an error of ours keeps its code and remedy: %s", async (failure, status, retryable) => {
    calls.failure = failure;
    const answer = await post("/call", { to: "+15550001111" });
    const { code, message } = failure;
    expect([answer.status, await answer.json()]).toMatchObject([status, { code, message, retryable, status }]);
  });

  test("an error that nobody expected is logged and not told", async () => {
    calls.failure = new Error("secret detail");
    const answer = await api("/status");
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain("secret detail");
    expect(JSON.stringify(logger.lines)).toContain("secret detail");
  });

  test("ends a call: 200 once the carrier confirms, 202 until then, 404 for one that never was", async () => {
    const confirmed = await api("/call/call_1", { method: "DELETE" });
    expect([confirmed.status, await confirmed.json()]).toMatchObject([
      200,
      { state: "ended", endReason: "agent_ended" },
    ]);
    calls.confirmed = false;
    const open = await api("/call/call_1", { method: "DELETE" });
    expect([open.status, await open.json()]).toMatchObject([202, { callId: "call_1", state: "active" }]);
    const unknown = await api("/call/call_9", { method: "DELETE" });
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { code: "call_not_found" }]);
  });

  test("lists links, and takes one back by a number as it is written", async () => {
    calls.linked = [link, { ...link, accountId: "a" }];
    expect(await (await api("/links?accountId=a")).json()).toEqual({ links: [{ ...link, accountId: "a" }] });
    const remove = async (path: string) => (await api(path, { method: "DELETE" })).json();
    expect(await remove("/links/+15550001111?accountId=a")).toEqual({ removed: [{ ...link, accountId: "a" }] });
    expect(await remove("/links/%2B1%20555%20000%201111")).toEqual({ removed: [link] });
    expect(await remove("/links/+15550001111")).toEqual({ removed: [] });
    expect(await remove("/links/Ann")).toMatchObject({ status: 400, code: "invalid_number" });
    expect((await api("/links?account=a")).status).toBe(400);
  });

  test("lists calls by what is asked, and refuses what it does not know", async () => {
    const listed = await api("/calls?caller=%2B1555%20000%201111&only=open&limit=7&after=x&accountId=a");
    expect(await listed.json()).toMatchObject({ calls: [{ callId: "call_1" }], next: "2" });
    expect(calls.queries).toEqual([{ caller: "+15550001111", only: "open", limit: 7, after: "x", accountId: "a" }]);
    for (const query of ["limit=0", "limit=x", "only=live", "callr=1", "caller=5"]) {
      expect((await api(`/calls?${query}`)).status).toBe(400);
    }
  });

  test("says a text word for word", async () => {
    expect((await post("/call/call_1/say", { text: "One moment." })).status).toBe(200);
    expect(calls.said).toEqual([["call_1", "One moment."]]);
    expect((await post("/call/call_1/say", {})).status).toBe(400);
  });

  test("sends keys, and answers with them", async () => {
    const answer = await post("/call/call_1/dtmf", { digits: "1w2#", durationMs: 100 });
    expect([answer.status, await answer.json()]).toEqual([200, { callId: "call_1", digits: "1w2#" }]);
    await post("/call/call_1/dtmf", { digits: "5" });
    expect(calls.keys).toEqual([
      ["call_1", "1w2#", { durationMs: 100 }],
      ["call_1", "5", {}],
    ]);
  });

  test("gives the model an instruction in the middle of a call", async () => {
    const text = "The table is free at eight.";
    const answer = await post("/call/call_1/instructions", { text });
    expect([answer.status, await answer.json()]).toMatchObject([200, { callId: "call_1", state: "active" }]);
    await post("/call/call_1/instructions", { text, respond: true });
    expect(calls.instructed).toEqual([
      ["call_1", text, {}],
      ["call_1", text, { respond: true }],
    ]);
  });

  test("pauses a recording and goes on with it", async () => {
    for (const paused of [true, false]) {
      const answer = await post("/call/call_1/recording", { paused });
      expect([answer.status, await answer.json()]).toMatchObject([200, { callId: "call_1", recordings: [] }]);
    }
    expect(calls.paused).toEqual([
      ["call_1", true],
      ["call_1", false],
    ]);
  });

  test.each([
    ["recording", {}, 400, "paused: is required and missing"],
    ["dtmf", {}, 400, "digits: is required and missing"],
    ["dtmf", { digits: 12 }, 400, "digits: "],
    ["dtmf", { digits: "1", durationMs: "long" }, 400, "durationMs: "],
    ["dtmf", { digits: "1", gapMs: 1 }, 400, "gapMs: there is no such field. Known fields: digits, durationMs."],
    ["instructions", { text: "" }, 400, "text: must not be empty"],
    ["instructions", { text: "x".repeat(4_001) }, 400, "text: may have 4,000 characters at most"],
    ["instructions", { text: "x", respond: 1 }, 400, "respond: "],
  ])("a wrong order to %s %j names its field", async (verb, order, status, message) => {
    const answer = await post(`/call/call_1/${verb}`, order);
    expect(answer.status).toBe(status);
    expect(((await answer.json()) as { message: string }).message).toContain(message);
    expect([...calls.keys, ...calls.instructed]).toEqual([]);
  });

  test.each([
    ["dtmf", { digits: "1" }],
    ["instructions", { text: "Be brief." }],
    ["recording", { paused: true }],
  ])("%s on a call that is not there is 404, on one that is over 409, and no wrong success", async (verb, order) => {
    expect((await post(`/call/call_9/${verb}`, order)).status).toBe(404);
    calls.failure = new CallOverError("call_1", "do this");
    const over = await post(`/call/call_1/${verb}`, order);
    expect([over.status, await over.json()]).toMatchObject([409, { code: "call_over", retryable: false }]);
    calls.failure = new InvalidRequestError("digits", "the carrier of this call cannot send key tones");
    expect((await post(`/call/call_1/${verb}`, order)).status).toBe(400);
    expect([...calls.keys, ...calls.instructed]).toEqual([]);
  });

  test("shows status, a call, and the host's sessions", async () => {
    expect(await (await api("/status")).json()).toMatchObject({ running: true, liveCalls: 1 });
    expect(await (await api("/calls/call_1")).json()).toMatchObject({ callId: "call_1", transcript: [] });
    const sessions = await (await api("/openclaw/sessions?limit=3")).json();
    expect(sessions).toEqual({ sessions: [{ key: "agent:main", limit: 3 }] });
  });

  test("a path under an API root never counts as a carrier's", async () => {
    expect((await post("/call/call_1/voice", {})).status).toBe(404);
    expect(webhooks.requests).toEqual([]);
  });
});
