import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { createApp } from "../../src/http/app.ts";
import { type RateLimiter, rateLimiter } from "../../src/http/rate-limit.ts";
import { LinesLogger, PUBLIC_URL, ScriptedCalls, ScriptedWebhooks, TOKEN } from "./desks.ts";

let calls: ScriptedCalls;
let limiter: RateLimiter;
let app: ReturnType<typeof createApp>;

beforeEach(() => {
  calls = new ScriptedCalls();
  calls.transcript = [{ id: "item_1", speaker: "caller", text: "Hello <b>?", startMs: 500, heardMs: 700, cut: false }];
  limiter = rateLimiter({ perAddress: 5_000, perAccount: 5_000 });
  app = createApp({
    apiToken: TOKEN,
    publicUrl: PUBLIC_URL,
    calls,
    webhooks: new ScriptedWebhooks(),
    logger: new LinesLogger(),
    limiter,
    clock: systemClock(),
    sessions: async () => [],
    closing: new AbortController().signal,
  });
});
afterEach(() => limiter.close());

const get = (path: string, headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` }) =>
  app.request(path, { headers });

test.each(["/calls/call_1/transcript", "/calls/call_1/recording"])(
  "%s needs the token, straight from here",
  async (path) => {
    expect((await get(path, {})).status).toBe(401);
    const proxied = { authorization: `Bearer ${TOKEN}`, "x-forwarded-for": "9.9.9.9" };
    expect((await get(path, proxied)).status).toBe(404);
  },
);

test.each([
  ["", "application/json", "call_1.json", /"text": "Hello <b>\?"/],
  ["?format=json", "application/json", "call_1.json", /"startMs": 500/],
  ["?format=text", "text/plain", "call_1.txt", /Caller: Hello <b>\?/],
  ["?format=markdown", "text/markdown", "call_1.md", /Hello \\<b\\>\?/],
  ["?format=vtt", "text/vtt", "call_1.vtt", /^WEBVTT\n\n1\n00:00:00\.500 --> 00:00:01\.200\n/],
])("a transcript as %s", async (query, type, file, words) => {
  const answer = await get(`/calls/call_1/transcript${query}`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe(`${type}; charset=utf-8`);
  expect(answer.headers.get("content-disposition")).toBe(`inline; filename="${file}"`);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(await answer.text()).toMatch(words);
});

test("an unknown format, field or call is refused", async () => {
  for (const [path, status, code] of [
    ["/calls/call_1/transcript?format=docx", 400, "invalid_request"],
    ["/calls/call_1/transcript?as=text", 400, "invalid_request"],
    ["/calls/call_9/transcript", 404, "call_not_found"],
    ["/calls/call_9/recording", 404, "call_not_found"],
  ] as const) {
    const answer = await get(path);
    expect([path, answer.status, ((await answer.json()) as { code: string }).code]).toEqual([path, status, code]);
  }
});

test("a call without a recording says so", async () => {
  const answer = await get("/calls/call_1/recording");
  expect([answer.status, answer.headers.get("content-type")]).toEqual([404, "application/problem+json"]);
  expect(await answer.json()).toMatchObject({
    code: "not_found",
    message: expect.stringContaining("Nothing of this call"),
  });
});

test("a recording is sent as it is read, with its length", async () => {
  async function* sound() {
    yield Buffer.from("RIFF");
    yield Buffer.from("more");
  }
  calls.recording = { sound: sound(), bytes: 8 };
  const answer = await get("/calls/call_1/recording");
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "audio/wav"]);
  expect(answer.headers.get("content-length")).toBe("8");
  expect(answer.headers.get("content-disposition")).toBe('inline; filename="call_1.wav"');
  expect(await answer.text()).toBe("RIFFmore");
});

test("a reader who leaves early lets go of the sound", async () => {
  const left = Promise.withResolvers<void>();
  async function* endless() {
    try {
      for (;;) yield Buffer.alloc(4_096);
    } finally {
      left.resolve();
    }
  }
  calls.recording = { sound: endless(), bytes: 2 ** 30 };
  const answer = await get("/calls/call_1/recording");
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  await reader.cancel();
  await left.promise;
});
