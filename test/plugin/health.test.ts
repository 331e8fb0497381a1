import { afterEach, expect, test, vi } from "vitest";
import type { Account } from "../../src/calls/account.ts";
import { LiveCalls } from "../../src/calls/live-calls.ts";
import type { Carrier } from "../../src/carriers/carrier.ts";
import { parseConfig } from "../../src/config.ts";
import { CarrierUnreachableError } from "../../src/core/errors.ts";
import type { Engine } from "../../src/engines/engine.ts";
import { standaloneHost } from "../../src/hosts/standalone.ts";
import { silentLogger } from "../../src/logger.ts";
import { Health, type HealthParts } from "../../src/plugin/health.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { handClock } from "../calls/clock.ts";

const clock = handClock();
let health: Health | undefined;
afterEach(async () => {
  await health?.stop();
  expect(clock.running).toBe(0);
});

async function open(changes: Partial<HealthParts> = {}, settings: object = {}) {
  const store = memoryStore();
  await store.start();
  const { settings: parsed } = parseConfig({ publicUrl: "https://voice.example.com", ...settings });
  health = new Health({
    settings: parsed,
    host: standaloneHost({ logger: silentLogger }),
    store,
    clock,
    calls: new LiveCalls(),
    stateDir: "/state",
    freeSpace: async () => ({ bavail: 1_000_000, bsize: 4_096 }),
    accounts: () => [],
    recovering: () => ({ size: 0, has: () => false }),
    isListening: () => true,
    ...changes,
  });
  await health.start();
  return { health, store };
}

/** Lets a minute and the looks within it pass. */
async function minute(): Promise<void> {
  for (let second = 0; second < 60; second++) {
    clock.pass(1_000);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const checks = (ours: Health) =>
  ours
    .report()
    .checks.map(({ check, accountId, level }) => [check, accountId, level].filter(Boolean).join(" "))
    .sort();

function account(id: string, answers: () => Promise<void>): Account {
  const peer = { probe: answers } as unknown;
  return {
    id,
    carrier: peer as Carrier,
    engine: peer as Engine,
    fallbackEngines: [] as Engine[],
  } as unknown as Account;
}

test("what all accounts share is looked at, and what each has", async () => {
  const accounts = [account("a", async () => {}), account("b", async () => {})];
  const { health: ours } = await open({ accounts: () => accounts });
  await minute();
  const wanted = [
    "calls well",
    "carrier a well",
    "carrier b well",
    "disk well",
    "engine a well",
    "engine b well",
    "host well",
    "store well",
  ];
  await vi.waitFor(() => expect(checks(ours)).toEqual(wanted));
});

test.each([
  ["a name that is nobody's", {}, {}],
  ["a listener that is closed", { isListening: () => false, fetch }, {}],
  ["a setting that says no", { fetch }, { health: { publicUrl: false } }],
])("the public address is not asked with %s", async (_, changes, settings) => {
  const asked = vi.fn(() => Promise.reject(new Error("no network")));
  const { health: ours } = await open({ ...changes, ...("fetch" in changes && { fetch: asked }) }, settings);
  await minute();
  expect(checks(ours).filter((one) => one.startsWith("public_url"))).toEqual([]);
  expect(asked).not.toHaveBeenCalled();
});

test("an account's breaker outlives its settings, and is shown while it runs", async () => {
  let running: Account[] = [];
  const { health: ours } = await open(
    { accounts: () => running },
    { retries: { carrier: { attempts: 1, breakAfter: 1 } } },
  );
  const failing = () => Promise.reject(new CarrierUnreachableError("No answer."));
  const first = ours.equip(account("a", failing));
  await expect(first.carrier.probe(new AbortController().signal)).rejects.toThrow("No answer.");
  const second = ours.equip(account("a", failing));
  await expect(second.carrier.probe(new AbortController().signal)).rejects.toThrow("in a row");
  expect(ours.report().breakers.map(({ name }) => name)).toEqual(["host"]);
  running = [second];
  expect(ours.report().breakers[0]).toMatchObject({ name: "carrier", accountId: "a", state: "open" });
});

test("what is not well is a finding with its remedy; nothing is said before the first look", async () => {
  const running = [account("a", () => Promise.reject(new CarrierUnreachableError("No answer.")))];
  const { health: ours } = await open({ accounts: () => running });
  expect(ours.findings()).toEqual([]);
  await minute();
  await minute();
  expect(ours.findings()).toContainEqual({
    level: "error",
    check: "health_carrier",
    accountId: "a",
    message: "No answer.",
    remedy: "Correct the account's carrier settings, or wait until the carrier can be reached.",
  });
});

test("with alerts switched off nothing is kept and nobody told, and all is still looked at", async () => {
  const running = [account("a", () => Promise.reject(new CarrierUnreachableError("No answer.")))];
  const { health: ours, store } = await open({ accounts: () => running }, { health: { alerts: false } });
  await minute();
  await minute();
  expect(checks(ours)).toContain("carrier a down");
  expect(await store.documents("health-episode")).toEqual([]);
});
