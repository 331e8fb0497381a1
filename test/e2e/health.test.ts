import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { HealthLevel } from "../../src/core/health.ts";
import type { StatusReport } from "../../src/http/doors.ts";
import type { VoiceChannelPlugin } from "../../src/plugin.ts";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, GREETING, OUR_NUMBER, PUBLIC_URL, types, type World, worlds } from "./world.ts";

const world = worlds();
const mind = ruleMind([{ when: /open/i, say: "Until five." }]);
const OWNER = { channel: "telegram", to: "555" };
const FAST = { periodSeconds: 20, againSeconds: 5, calmSeconds: 20 };
const SOON = { timeout: 20_000, interval: 20 };

/** A world whose owner reads what they are told. */
async function watched(options: Partial<Parameters<typeof world>[0]> = {}) {
  const told: string[] = [];
  const ours = await world({
    mind,
    speed: 20,
    account: { owner: OWNER },
    settings: { health: FAST },
    host: {
      send: (_address, { text }) => {
        told.push(text);
        return {};
      },
    },
    ...options,
  });
  return { ours, told };
}

/** What an operator gets over HTTP. */
async function get(ours: World, path: string): Promise<Response> {
  const token = (await readFile(join(ours.stateDir, "api-token"), "utf8")).trim();
  return fetch(`${ours.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
}

/** Asks as somebody in the world does: by the public URL, which leads to whoever is routed to. */
function fromOutside({ routes }: World): typeof fetch {
  return (async (url: string, init?: RequestInit) => {
    const base = routes[PUBLIC_URL];
    if (base === undefined) throw new TypeError("fetch failed", { cause: new Error("the name is not known") });
    return fetch(url.replace(PUBLIC_URL, base), init);
  }) as typeof fetch;
}

async function becomes(plugin: VoiceChannelPlugin, check: string, level: HealthLevel): Promise<StatusReport> {
  return vi.waitFor(async () => {
    const report = await plugin.status();
    expect(report.health?.checks.find((one) => one.check === check)?.level).toBe(level);
    return report;
  }, SOON);
}

/** A number of `/metrics`, by its name and labels as they stand there. */
async function number(ours: World, sample: string): Promise<number> {
  const text = await (await get(ours, "/metrics")).text();
  const line = text.split("\n").find((one) => one.startsWith(`${sample} `));
  return Number(line?.slice(sample.length + 1));
}

test("a carrier that answers 503 for a while: the breaker opens and closes, status shows it, the owner is told once, and once that it is well", async () => {
  const { ours, told } = await watched();
  await becomes(ours.plugin, "carrier", "well");
  let asked = 0;
  ours.phones.faults.rest = () => {
    asked += 1;
    return { error: { status: 503, code: 20503, message: "Service unavailable" } };
  };

  await becomes(ours.plugin, "carrier", "down");
  const fallen = (await (await get(ours, "/status")).json()) as StatusReport;
  expect(fallen.health?.level).toBe("down");
  const breaker = { name: "carrier", accountId: "default" };
  await vi.waitFor(async () => {
    expect((await ours.plugin.status()).health?.breakers).toContainEqual(
      expect.objectContaining({ ...breaker, state: "open" }),
    );
  }, SOON);
  await vi.waitFor(() => expect(told).toHaveLength(1), SOON);
  expect(told[0]).toMatch(/^Phone calls: the phone carrier of account default is not working\. /);
  expect(told[0]).toContain("503");
  expect(await ours.plugin.doctor()).toContainEqual(
    expect.objectContaining({ level: "error", check: "health_carrier", accountId: "default" }),
  );
  expect(await number(ours, 'openclaw_voice_health{check="carrier",account="default"}')).toBe(2);
  // An open breaker asks now and then, not with every look.
  const before = { asked, looks: ours.clock.now() };
  await vi.waitFor(() => expect(ours.clock.now() - before.looks).toBeGreaterThan(30_000), SOON);
  expect(asked - before.asked).toBeLessThanOrEqual(4);
  expect(told).toHaveLength(1);

  delete ours.phones.faults.rest;
  const risen = await becomes(ours.plugin, "carrier", "well");
  expect(risen.health?.breakers).toContainEqual({ ...breaker, state: "closed" });
  await vi.waitFor(() => expect(told).toHaveLength(2), SOON);
  expect(told[1]).toMatch(/^Phone calls: the phone carrier of account default is well again, after /);
  expect(await number(ours, 'openclaw_voice_health{check="carrier",account="default"}')).toBe(0);
  expect(await number(ours, 'openclaw_voice_breaker_state{breaker="carrier",account="default"}')).toBe(0);
  await vi.waitFor(() => expect(ours.clock.now() - before.looks).toBeGreaterThan(90_000), SOON);
  expect(told).toHaveLength(2);
});

test("a restart in the middle of a trouble repeats nothing, and the next process says when it is over", async () => {
  const { ours, told } = await watched({ settings: { health: FAST, store: "sqlite" } });
  ours.phones.faults.rest = () => ({ unreachable: true });
  await vi.waitFor(() => expect(told).toHaveLength(1), SOON);
  await ours.plugin.stop();
  const next = ours.another();
  await next.start();
  await ours.routeTo(next);
  await becomes(next, "carrier", "down");
  const sinceMs = ours.clock.now();
  await vi.waitFor(() => expect(ours.clock.now() - sinceMs).toBeGreaterThan(40_000), SOON);
  expect(told).toHaveLength(1);
  delete ours.phones.faults.rest;
  await vi.waitFor(() => expect(told[1]).toContain("is well again"), SOON);
});

test("the channel asks for itself through its public address: who answers there must be this process", async () => {
  const { ours, told } = await watched();
  const asking = ours.another({ fetch: fromOutside(ours) });
  await asking.start();
  await ours.routeTo(asking);
  await becomes(asking, "public_url", "well");
  await ours.routeTo(ours.plugin); // which answers just as well
  const fallen = await becomes(asking, "public_url", "down");
  expect(fallen.health?.checks.find(({ check }) => check === "public_url")?.message).toBe(
    `Somebody else answers at ${PUBLIC_URL}/health (200).`,
  );
  await vi.waitFor(() => expect(told[0]).toContain("the public address is not working."), SOON);
  delete ours.routes[PUBLIC_URL];
  await vi.waitFor(async () => {
    const { health } = await asking.status();
    expect(health?.checks.find(({ check }) => check === "public_url")?.message).toContain("cannot be reached");
  }, SOON);
  await ours.routeTo(asking);
  await becomes(asking, "public_url", "well");
});

test("after a call the numbers are what its journal says", async () => {
  const { ours } = await watched({ speed: 8 });
  const ending = ours.nextEnd();
  ours.phones.ring({
    from: ANN,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply();
      await line.say("When are you open?");
      await line.hearReply();
    },
  });
  const call = await ending;
  expect(call.words[0]).toBe(`agent: ${GREETING}`);
  const of = 'account="default",direction="inbound"';
  const expected: Record<string, number> = {
    [`openclaw_voice_calls_started_total{${of}}`]: 1,
    [`openclaw_voice_calls_ended_total{${of},reason="${call.endReason}"}`]: 1,
    [`openclaw_voice_call_duration_seconds_count{${of}}`]: 1,
    [`openclaw_voice_call_duration_seconds_sum{${of}}`]: ((call.endedAtMs ?? 0) - (call.answeredAtMs ?? 0)) / 1_000,
    'openclaw_voice_call_longest_silence_seconds_sum{account="default"}': (call.longestSilenceMs ?? 0) / 1_000,
    'openclaw_voice_latency_seconds_count{part="answer_webhook"}': 1,
    'openclaw_voice_latency_seconds_count{part="engine_open"}': types(call).filter((type) => type === "engine.opened")
      .length,
    'openclaw_voice_latency_seconds_count{part="first_audio"}': 1,
    'openclaw_voice_afterwards_waiting{step="wake"}': 0,
    openclaw_voice_calls_unterminated: 0,
    openclaw_voice_calls_recovering: 0,
    openclaw_voice_store_queue_depth: 0,
  };
  for (const [sample, value] of Object.entries(expected))
    expect([sample, await number(ours, sample)]).toEqual([sample, value]);
  expect(await number(ours, 'openclaw_voice_latency_seconds_count{part="store_append"}')).toBeGreaterThan(3);
});
