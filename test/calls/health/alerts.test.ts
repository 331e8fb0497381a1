import { afterEach, beforeEach, expect, test } from "vitest";
import { HealthAlerts } from "../../../src/calls/health/alerts.ts";
import type { HealthStanding } from "../../../src/calls/health/monitor.ts";
import { HostError } from "../../../src/core/errors.ts";
import type { HealthLevel } from "../../../src/core/health.ts";
import { bareHost } from "../../../src/hosts/bare.ts";
import type { ChannelAddress } from "../../../src/hosts/host.ts";
import { silentLogger } from "../../../src/logger.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import type { Store } from "../../../src/stores/store.ts";
import { type HandClock, handClock } from "../clock.ts";
import { breathe } from "./bench.ts";

const ANN = { channel: "telegram", to: "555" };
const BOB = { channel: "signal", to: "777" };
const CALM_MS = 60_000;

let clock: HandClock;
let store: Store;
let sent: { to: string; text: string }[];
let refuses: (to: string) => boolean;
let owners: Record<string, ChannelAddress>;
let levels: Record<string, HealthLevel>;

beforeEach(async () => {
  clock = handClock();
  store = memoryStore();
  await store.start();
  sent = [];
  refuses = () => false;
  owners = { a: ANN };
  levels = {};
});
afterEach(async () => {
  expect(clock.running).toBe(0);
  await store.stop();
});

async function alerts(options: { send?: boolean; perHour?: number; store?: Store } = {}): Promise<HealthAlerts> {
  const made = new HealthAlerts({
    host: {
      capabilities: { ...bareHost.capabilities, send: options.send ?? true },
      async send({ to }, { text }) {
        if (refuses(to)) throw new HostError("Not now.");
        sent.push({ to, text });
        return {};
      },
    },
    store: options.store ?? store,
    clock,
    logger: silentLogger,
    calmMs: CALM_MS,
    perHour: options.perHour ?? 10,
    recipients: (accountId) => (accountId === undefined ? Object.values(owners) : [owners[accountId] ?? []].flat()),
  });
  await made.start();
  return made;
}

/** How everything stands: `carrier:a` is the carrier of account a. */
function standings(): HealthStanding[] {
  return Object.entries(levels).map(([key, level]) => {
    const [check = "", accountId] = key.split(":");
    const of = accountId === undefined ? {} : { accountId };
    const nowMs = clock.now();
    return { check, ...of, level, sinceMs: nowMs, message: `It is ${level}.`, lookedAtMs: nowMs, tookMs: 1 };
  });
}

async function pass(ours: HealthAlerts, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.pass(1_000);
    await ours.update(standings());
    await breathe();
  }
}

const texts = () => sent.map(({ text }) => text);

test("the owner is told once that it begins and once that it is over", async () => {
  const ours = await alerts();
  levels = { "carrier:a": "well" };
  await pass(ours, 10);
  levels = { "carrier:a": "down" };
  await pass(ours, 300);
  expect(texts()).toEqual(["Phone calls: the phone carrier of account a is not working. It is down."]);
  levels = { "carrier:a": "well" };
  await pass(ours, 59);
  expect(sent).toHaveLength(1);
  await pass(ours, 200);
  expect(texts().slice(1)).toEqual(["Phone calls: the phone carrier of account a is well again, after 5 minutes."]);
  expect(await store.documents("health-episode")).toEqual([]);
});

test("what comes back before all was well for long enough is the same trouble", async () => {
  const ours = await alerts();
  for (let round = 0; round < 20; round++) {
    levels = { store: round % 2 === 0 ? "down" : "well" };
    await pass(ours, 40);
  }
  await pass(ours, 100);
  expect(texts()).toHaveLength(2);
});

test("what gets worse than was told is told once more", async () => {
  const ours = await alerts();
  levels = { disk: "degraded" };
  await pass(ours, 20);
  levels = { disk: "down" };
  await pass(ours, 20);
  levels = { disk: "degraded" };
  await pass(ours, 20);
  expect(texts()).toEqual([
    "Phone calls: the disk is not well. It is degraded.",
    "Phone calls: the disk is not working. It is down.",
  ]);
});

test("a restart in the middle of a trouble repeats nothing, and knows that it is to be said when it is over", async () => {
  const first = await alerts();
  levels = { "engine:a": "down" };
  await pass(first, 20);
  first.stop();
  const second = await alerts();
  expect([...(await second.start())]).toEqual([["engine:a", "down"]]);
  await pass(second, 200);
  expect(sent).toHaveLength(1);
  levels = { "engine:a": "well" };
  await pass(second, 70);
  expect(texts()[1]).toMatch(/well again/);
});

test("killed between saying it and writing that down, the next process says that it may be a repetition", async () => {
  const dies = {
    ...store,
    keep: (...order: Parameters<Store["keep"]>) => (sent.length > 0 ? lost() : store.keep(...order)),
  };
  const first = await alerts({ store: dies as Store });
  levels = { "engine:a": "down" };
  await pass(first, 5);
  expect(sent).toHaveLength(1);
  const second = await alerts();
  await pass(second, 50);
  expect(texts()[1]).toMatch(/^\(You may have had this message already\.\)\nPhone calls: the speech model/);
  expect(sent).toHaveLength(2);
});

const lost = (): Promise<boolean> => Promise.reject(new Error("The process is gone."));

test("a trouble that was over before it could be told is never told", async () => {
  const ours = await alerts();
  refuses = () => true;
  levels = { host: "down" };
  await pass(ours, 60);
  levels = { host: "well" };
  await pass(ours, 5);
  refuses = () => false;
  await pass(ours, 200);
  expect(sent).toEqual([]);
});

test("a channel that does not take it is tried again, not every second", async () => {
  let tries = 0;
  refuses = () => {
    tries += 1;
    return tries < 3;
  };
  const ours = await alerts();
  levels = { host: "down" };
  await pass(ours, 120);
  expect([tries, sent.length]).toEqual([3, 1]);
});

test("troubles that come together are one message, each to whom it concerns", async () => {
  owners = { a: ANN, b: BOB };
  const ours = await alerts();
  levels = { store: "down", "carrier:a": "down" };
  await pass(ours, 1);
  levels = { ...levels, disk: "degraded", "carrier:b": "down" };
  await pass(ours, 100);
  expect(sent).toHaveLength(2);
  const [toAnn, toBob] = [sent.find(({ to }) => to === "555"), sent.find(({ to }) => to === "777")];
  expect(toAnn?.text).toBe(
    [
      "Phone calls:",
      "- the store of calls is not working. It is down.",
      "- the phone carrier of account a is not working. It is down.",
      "- the disk is not well. It is degraded.",
    ].join("\n"),
  );
  expect(toBob?.text).not.toContain("account a");
});

test("a storm is bounded: what is too much for an hour is gathered and told later", async () => {
  const ours = await alerts({ perHour: 3 });
  for (let index = 0; index < 20; index++) {
    levels = { ...levels, [`check${index}`]: "down" };
    await pass(ours, 30);
  }
  expect(sent).toHaveLength(3);
  await pass(ours, 3_600);
  expect(sent).toHaveLength(4);
  expect(texts()[3]).toContain("and 5 more");
});

test("a store that fails is told all the same, and written down once it works", async () => {
  let works = false;
  const failing = {
    ...store,
    document: (kind: string, key: string) => (works ? store.document(kind, key) : lost()),
  } as Store;
  const ours = await alerts({ store: failing });
  levels = { store: "down" };
  await pass(ours, 60);
  expect(sent).toHaveLength(1);
  works = true;
  await pass(ours, 2);
  expect(await store.documents("health-episode")).toMatchObject([
    { value: { episode: { told: { "telegram::555": "down" } } } },
  ]);
});

test.each([
  ["the host sends no messages", { send: false }, { a: ANN }],
  ["there is no owner", {}, {}],
])("nobody is told where %s; the trouble is still known", async (_, options, who) => {
  owners = who as typeof owners;
  const ours = await alerts(options);
  levels = { "carrier:a": "down" };
  await pass(ours, 100);
  expect(sent).toEqual([]);
  expect(await store.documents("health-episode")).toHaveLength(1);
  levels = { "carrier:a": "well" };
  await pass(ours, 100);
  expect([sent, await store.documents("health-episode")]).toEqual([[], []]);
});

test("an account that leaves takes its troubles along", async () => {
  const ours = await alerts();
  levels = { "carrier:a": "down", store: "well" };
  await pass(ours, 10);
  levels = { store: "well" };
  await pass(ours, 100);
  expect(sent).toHaveLength(1);
  expect(await store.documents("health-episode")).toEqual([]);
});
