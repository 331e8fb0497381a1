import { performance } from "node:perf_hooks";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CallWatch } from "../../src/calls/health/call-watch.ts";
import { apply, type Call, newCall } from "../../src/core/call.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { createApp } from "../../src/http/app.ts";
import { createMetrics, type Metrics, type MetricsParts } from "../../src/http/metrics.ts";
import { rateLimiter } from "../../src/http/rate-limit.ts";
import { journals } from "../../src/testing/journals.ts";
import { LinesLogger, PUBLIC_URL, ScriptedCalls, ScriptedWebhooks, TOKEN } from "./desks.ts";

/** The numbers of one answer. */
interface Numbers {
  /** The value of a sample; its labels in any order. */
  of(name: string, labels?: Readonly<Record<string, string>>): number | undefined;
  /** All samples of a name, added up. */
  sum(name: string): number;
  readonly types: ReadonlyMap<string, string>;
  readonly samples: readonly {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

/** Reads Prometheus' text format; a line that is none of it fails. */
function parse(text: string): Numbers {
  expect(text.endsWith("\n")).toBe(true);
  const types = new Map<string, string>();
  const samples: { name: string; labels: Record<string, string>; value: number }[] = [];
  for (const line of text.split("\n").filter(Boolean)) {
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type) types.set(type[1] as string, type[2] as string);
    else if (!/^# HELP [a-z_]+ .+$/.test(line)) {
      const sample = /^([a-z_]+)(?:\{(.*)\})? (-?[\d.e+-]+|\+Inf|NaN)$/.exec(line);
      if (!sample) throw new Error(`not a line of the format: ${line}`);
      const [, name = "", labels = "", value = ""] = sample;
      const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)/g)];
      expect(pairs.map(([whole]) => whole).join("")).toBe(labels);
      samples.push({ name, labels: Object.fromEntries(pairs.map(([, key, of]) => [key, of])), value: Number(value) });
    }
  }
  const same = (a: object, b: object) =>
    JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
  return {
    types,
    samples,
    of: (name, labels = {}) => samples.find((one) => one.name === name && same(one.labels, labels))?.value,
    sum: (name) => samples.filter((one) => one.name === name).reduce((total, { value }) => total + value, 0),
  };
}

let live: Call[];
let parts: MetricsParts;
let metrics: Metrics;
const opened: Metrics[] = [];

/** Numbers that begin anew. */
function begin(changes: Partial<MetricsParts> = {}): Metrics {
  live = [];
  parts = {
    version: "1.2.3",
    clock: { now: () => 0 },
    watch: new CallWatch(),
    live: () => live,
    isOwned: () => false,
    recovering: () => 0,
    appending: () => 0,
    standings: () => [],
    breakers: () => [],
    ...changes,
  };
  metrics = createMetrics(parts);
  opened.push(metrics);
  return metrics;
}
beforeEach(() => void begin());
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

const read = async () => parse(await metrics.text());

/** Shows a journal as it becomes durable; the call as it is at the end. */
function show(events: readonly CallEvent[]): Call {
  let call = newCall();
  events.forEach((event, index) => {
    call = apply(call, event);
    metrics.observe({ seq: index + 1, event }, call);
  });
  return call;
}

const manyJournals = () =>
  fc.uniqueArray(journals({ maxEvents: 25 }), {
    selector: ([first]) => (first?.type === "call.created" ? first.callId : ""),
    maxLength: 6,
  });

describe("numbers that count", () => {
  test("they are what the folded journals say", async () => {
    await fc.assert(
      fc.asyncProperty(manyJournals(), async (all) => {
        begin();
        const calls = all.map(show);
        const numbers = await read();
        const ended = calls.filter(({ state }) => state === "ended");
        const answered = ended.filter(({ answeredAtMs }) => answeredAtMs !== undefined);
        expect(numbers.sum("openclaw_voice_calls_started_total")).toBe(calls.length);
        expect(numbers.sum("openclaw_voice_calls_ended_total")).toBe(ended.length);
        expect(numbers.sum("openclaw_voice_barge_ins_total")).toBe(
          calls.reduce((sum, { bargeIns }) => sum + bargeIns, 0),
        );
        expect(numbers.sum("openclaw_voice_faults_total")).toBe(calls.reduce((sum, { faults }) => sum + faults, 0));
        expect(numbers.sum("openclaw_voice_calls_resumed_total")).toBe(
          calls.reduce((sum, { resumes }) => sum + resumes, 0),
        );
        expect(numbers.sum("openclaw_voice_call_duration_seconds_count")).toBe(answered.length);
        const seconds = answered.reduce(
          (sum, { answeredAtMs = 0, endedAtMs = 0 }) => sum + Math.max(0, endedAtMs - answeredAtMs) / 1_000,
          0,
        );
        expect(numbers.sum("openclaw_voice_call_duration_seconds_sum")).toBeCloseTo(seconds, 6);
        const silence = answered.reduce((sum, { longestSilenceMs = 0 }) => sum + longestSilenceMs / 1_000, 0);
        expect(numbers.sum("openclaw_voice_call_longest_silence_seconds_sum")).toBeCloseTo(silence, 6);
        for (const { accountId: account, direction, endReason: reason = "" } of ended) {
          const alike = ended.filter(
            (one) => one.accountId === account && one.direction === direction && one.endReason === reason,
          );
          expect(numbers.of("openclaw_voice_calls_ended_total", { account, direction, reason })).toBe(alike.length);
        }
        expect(numbers.of("openclaw_voice_afterwards_waiting", { step: "note" })).toBe(
          ended.filter(({ noted }) => !noted).length,
        );
      }),
      { numRuns: 30 },
    );
  });

  test("no label holds a number, a call or anybody's words, and labels come from closed lists", async () => {
    await fc.assert(
      fc.asyncProperty(manyJournals(), async (all) => {
        begin();
        live = all.map(show).filter(({ state }) => state !== "ended");
        const { samples } = await read();
        const closed = new Set([
          "account",
          "direction",
          "state",
          "reason",
          "ok",
          "part",
          "le",
          "step",
          "quantile",
          "version",
        ]);
        for (const { labels } of samples) {
          expect(Object.keys(labels).filter((name) => !closed.has(name))).toEqual([]);
          for (const value of Object.values(labels)) expect(value).not.toMatch(/\+\d{5}|call_/);
          if (labels["account"] !== undefined) expect(["default", "support"]).toContain(labels["account"]);
        }
      }),
      { numRuns: 15 },
    );
  });

  test("bytes of recordings count when they are stored, after the call as well", async () => {
    const created = {
      type: "call.created",
      atMs: 0,
      callId: "call_1",
      accountId: "default",
      direction: "inbound",
    } as const;
    const stored = { type: "recording.stored", recordingId: "r", location: "f", durationMs: 1 } as const;
    show([
      { ...created, from: "+15550005678", to: "+15550001234", transport: "media-stream" },
      { ...stored, atMs: 1, bytes: 100 },
      { type: "call.ended", atMs: 2, reason: "lost", longestSilenceMs: 0 },
      { ...stored, atMs: 3, bytes: 23 },
    ]);
    expect((await read()).of("openclaw_voice_recording_stored_bytes_total", { account: "default" })).toBe(123);
  });

  test("latencies are counted by their part, each in its bucket", async () => {
    for (const ms of [3, 30, 700, 90_000]) metrics.time("answer_webhook", ms);
    const numbers = await read();
    const of = (le: string) => numbers.of("openclaw_voice_latency_seconds_bucket", { part: "answer_webhook", le });
    expect([of("0.005"), of("0.05"), of("0.8"), of("60"), of("+Inf")]).toEqual([1, 2, 3, 3, 4]);
    expect(numbers.of("openclaw_voice_latency_seconds_count", { part: "consult" })).toBe(0);
  });
});

describe("numbers that stand", () => {
  test("live calls are counted by state, and only while they live", async () => {
    const call = (state: Call["state"], accountId = "default"): Call => ({
      ...newCall(),
      id: "call_1",
      state,
      accountId,
    });
    live = [call("active"), call("active"), call("ringing"), call("held", "support")];
    const state = (numbers: Numbers, of: string, account = "default") =>
      numbers.of("openclaw_voice_calls", { account, direction: "inbound", state: of });
    const before = await read();
    expect([
      state(before, "active"),
      state(before, "ringing"),
      state(before, "held"),
      state(before, "held", "support"),
    ]).toEqual([2, 1, 0, 1]);
    live = [];
    expect((await read()).samples.filter(({ name }) => name === "openclaw_voice_calls")).toEqual([]);
  });

  test("an open call that nobody has is not terminated; one that somebody has, or that is released, is no such call", async () => {
    let owned = true;
    begin({ isOwned: () => owned, clock: { now: () => 100_000 } });
    const created = { type: "call.created", atMs: 0, accountId: "default", direction: "inbound" } as const;
    const to = { from: "+15550005678", to: "+15550001234", transport: "media-stream" } as const;
    show([{ ...created, ...to, callId: "call_1" }]);
    show([
      { ...created, ...to, callId: "call_2" },
      { type: "call.released", atMs: 1, longestSilenceMs: 0 },
    ]);
    expect((await read()).of("openclaw_voice_calls_unterminated")).toBe(0);
    owned = false;
    expect((await read()).of("openclaw_voice_calls_unterminated")).toBe(1);
  });

  test("health, breakers, queues and what is taken up again", async () => {
    const looked = { sinceMs: 0, message: "", lookedAtMs: 0, tookMs: 0 };
    begin({
      recovering: () => 2,
      appending: () => 7,
      standings: () => [
        { ...looked, check: "store", level: "well" },
        { ...looked, check: "carrier", accountId: "default", level: "down" },
      ],
      breakers: () => [
        { name: "host", state: "closed" },
        { name: "carrier", accountId: "default", state: "open" },
      ],
    });
    const numbers = await read();
    expect(numbers.of("openclaw_voice_calls_recovering")).toBe(2);
    expect(numbers.of("openclaw_voice_store_queue_depth")).toBe(7);
    expect(numbers.of("openclaw_voice_health", { check: "store", account: "" })).toBe(0);
    expect(numbers.of("openclaw_voice_health", { check: "carrier", account: "default" })).toBe(2);
    expect(numbers.of("openclaw_voice_breaker_state", { breaker: "host", account: "" })).toBe(0);
    expect(numbers.of("openclaw_voice_breaker_state", { breaker: "carrier", account: "default" })).toBe(2);
    expect(numbers.of("openclaw_voice_build_info", { version: "1.2.3" })).toBe(1);
  });

  test("a loop that stood still is seen, once", async () => {
    const worst = async () => (await read()).of("openclaw_voice_event_loop_lag_seconds", { quantile: "1" }) ?? 0;
    const turns = () => new Promise((resolve) => setTimeout(resolve, 50)); // what measures has to come round
    await vi.waitFor(
      async () => {
        await turns();
        const until = performance.now() + 300;
        while (performance.now() < until); // holds the loop up
        await turns();
        expect(await worst()).toBeGreaterThan(0.2);
      },
      { timeout: 5_000 },
    );
    expect(await worst()).toBeLessThan(0.2);
  });
});

test("names follow Prometheus: one prefix, base units, counters end in _total", async () => {
  const { types } = await read();
  for (const [name, type] of types) {
    expect(name).toMatch(/^openclaw_voice_[a-z_]+$/);
    expect(name.endsWith("_total")).toBe(type === "counter");
    if (type === "histogram") expect(name).toMatch(/_seconds$/);
    expect(name).not.toMatch(/_ms$|_milliseconds$|_minutes$/);
  }
});

test("two channels in one process share no numbers", async () => {
  const first = metrics;
  const second = begin();
  second.time("tool", 1);
  const count = async (of: Metrics) =>
    parse(await of.text()).of("openclaw_voice_latency_seconds_count", { part: "tool" });
  expect([await count(first), await count(second)]).toEqual([0, 1]);
});

test("asking costs less than 20 ms with a thousand live calls of ten accounts", async () => {
  const accounts = Array.from({ length: 10 }, (_, index) => `account-${index}`);
  const transcript = Array.from({ length: 50 }, (_, index) => ({
    id: `item_${index}`,
    speaker: "caller" as const,
    text: "words ".repeat(20),
    startMs: 0,
    heardMs: 0,
    cut: false,
  }));
  for (let index = 0; index < 1_000; index++) {
    const accountId = accounts[index % 10] as string;
    const direction = index % 3 === 0 ? ("outbound" as const) : ("inbound" as const);
    const created = { type: "call.created", atMs: 0, callId: `call_${index}`, accountId, direction } as const;
    const call = show([
      { ...created, from: "+15550005678", to: "+15550001234", transport: "media-stream" },
      { type: "leg.answered", atMs: 1 },
    ]);
    live.push({ ...call, transcript });
    const over = { ...created, callId: `call_over_${index}`, from: "+15550005678", to: "+15550001234" };
    const reasons = ["lost", "caller_hangup", "busy", "agent_ended"] as const;
    show([
      { ...over, transport: "media-stream" },
      { type: "leg.answered", atMs: 1 },
      { type: "call.ended", atMs: 2, reason: reasons[index % 4] as "lost", longestSilenceMs: 100 },
    ]);
  }
  await metrics.text();
  const took: number[] = [];
  for (let round = 0; round < 9; round++) {
    const from = performance.now();
    await metrics.text();
    took.push(performance.now() - from);
  }
  const median = took.sort((a, b) => a - b)[4] as number;
  expect(median).toBeLessThan(20);
});

describe("GET /metrics", () => {
  const logger = new LinesLogger();

  function app(more: object) {
    const limiter = rateLimiter({ perAddress: 1_000, perAccount: 1_000 });
    const made = createApp({
      apiToken: TOKEN,
      publicUrl: PUBLIC_URL,
      calls: new ScriptedCalls(),
      webhooks: new ScriptedWebhooks(),
      logger,
      limiter,
      clock: systemClock(),
      sessions: async () => [],
      closing: new AbortController().signal,
      ...more,
    });
    return { app: made, close: () => limiter.close() };
  }

  test("it is behind the API's token, and not for requests through a proxy", async () => {
    const { app: ours, close } = app({ metrics });
    const authorization = `Bearer ${TOKEN}`;
    expect((await ours.request("/metrics")).status).toBe(401);
    const answer = await ours.request("/metrics", { headers: { authorization } });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(parse(await answer.text()).types.size).toBeGreaterThan(15);
    const proxied = await ours.request("/metrics", { headers: { authorization, "x-forwarded-for": "9.9.9.9" } });
    expect(proxied.status).toBe(404);
    close();
  });

  test("health hands on the word that a request brings, and says no more than ever", async () => {
    const words: string[] = [];
    const { app: ours, close } = app({ onProbe: (word: string) => words.push(word) });
    await ours.request("/health");
    const answer = await ours.request("/health", { headers: { "x-openclaw-voice-probe": "word-1" } });
    expect([answer.status, await answer.json(), words]).toEqual([200, { status: "ok" }, ["word-1"]]);
    close();
  });
});
