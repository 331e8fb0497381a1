import { afterEach, expect, test } from "vitest";
import { HealthMonitor, type HealthStanding } from "../../../src/calls/health/monitor.ts";
import type { HealthLevel } from "../../../src/core/health.ts";
import { silentLogger } from "../../../src/logger.ts";
import { handClock } from "../clock.ts";
import { breathe, type ScriptedCheck, scriptedCheck } from "./bench.ts";

const RULES = { fallAfter: 3, riseAfter: 2, periodMs: 60_000, againMs: 10_000, timeoutMs: 5_000 };
const clock = handClock();
let monitor: HealthMonitor | undefined;

afterEach(async () => {
  await monitor?.stop();
  expect(clock.running).toBe(0);
});

function watch(...checks: ScriptedCheck[]) {
  const told: (readonly HealthStanding[])[] = [];
  const present = [...checks];
  const parts = { checks: () => present, rules: RULES, clock, logger: silentLogger };
  monitor = new HealthMonitor({ ...parts, onStandings: async (standings) => void told.push(standings) });
  const level = (name: string) => monitor?.standings().find(({ check }) => check === name)?.level;
  return { monitor, told, present, level };
}

/** Starts, and lets the time pass in which a process that starts is left alone. */
async function begin(ours: HealthMonitor, before?: ReadonlyMap<string, HealthLevel>): Promise<void> {
  ours.start(before);
  await pass(9);
  expect(ours.standings()).toEqual([]);
}

/** Lets seconds pass one by one, with all that happens in each. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.pass(1_000);
    await breathe();
  }
}

test("what is well is looked at once a period; after a bad look sooner, and it has fallen after enough of them", async () => {
  const store = scriptedCheck("store");
  const { monitor: ours, level } = watch(store);
  await begin(ours);
  await pass(60);
  expect([store.looks, level("store")]).toEqual([1, "well"]);
  store.level = "down";
  await pass(1);
  expect([store.looks, level("store")]).toEqual([2, "well"]);
  await pass(19);
  expect([store.looks, level("store")]).toEqual([3, "well"]);
  await pass(1);
  expect([store.looks, level("store")]).toEqual([4, "down"]);
  store.level = "well";
  await pass(10);
  expect(level("store")).toBe("down");
  await pass(10);
  expect(level("store")).toBe("well");
  const { looks } = store;
  await pass(59);
  expect(store.looks).toBe(looks);
});

test("what is shown goes with the level, with a remedy while it is not well", async () => {
  const store = scriptedCheck("store");
  const { monitor: ours } = watch(store);
  await begin(ours);
  await pass(1);
  expect(ours.standings()).toEqual([
    {
      check: "store",
      level: "well",
      sinceMs: expect.any(Number),
      message: "It is well.",
      lookedAtMs: expect.any(Number),
      tookMs: 0,
    },
  ]);
  store.level = "degraded";
  await pass(70);
  expect(ours.standings()[0]?.message).toBe("It is well.");
  await pass(20);
  expect(ours.standings()[0]).toMatchObject({ level: "degraded", message: "It is degraded.", remedy: "Mend it." });
  store.level = "well";
  await pass(10);
  expect(ours.standings()[0]).toMatchObject({ level: "degraded", message: "It is degraded." });
});

test("a look without an answer is a bad one, and looks at the same thing never overlap", async () => {
  const engine = scriptedCheck("engine", "default");
  const { monitor: ours } = watch(engine);
  engine.hangs = true;
  await begin(ours);
  await pass(5);
  expect([engine.looks, ours.standings()]).toEqual([1, []]);
  await pass(30);
  expect(ours.standings()[0]).toMatchObject({ accountId: "default", level: "down", message: "no answer within 5 s" });
  expect(engine.looks).toBe(4);
});

test("an answer that comes late is degraded", async () => {
  const slow = scriptedCheck("store");
  slow.look = async () => {
    await new Promise<void>((resolve) => void clock.after(2_000, resolve));
    return { level: "well", message: "Well." };
  };
  const { monitor: ours, level } = watch(slow);
  await begin(ours);
  await pass(40);
  expect(level("store")).toBe("degraded");
  expect(ours.standings()[0]?.message).toBe("It takes 2.0 s to answer.");
});

test("looks at many things are spread, and each has its turn", async () => {
  const many = Array.from({ length: 40 }, (_, index) => scriptedCheck("carrier", `account-${index}`));
  const { monitor: ours } = watch(...many);
  await begin(ours);
  const looked = () => many.reduce((sum, { looks }) => sum + looks, 0);
  for (let second = 1; second <= 20; second++) {
    await pass(1);
    expect(looked()).toBe(2 * second);
  }
  expect(many.every(({ looks }) => looks === 1)).toBe(true);
});

test("one thing that hangs holds no other up", async () => {
  const [hanging, other] = [scriptedCheck("carrier", "a"), scriptedCheck("carrier", "b")];
  hanging.hangs = true;
  const { monitor: ours } = watch(hanging, other);
  await begin(ours);
  await pass(2);
  expect(other.looks).toBe(1);
});

test("what is not looked at any more is not shown, and comes back as new", async () => {
  const [store, carrier] = [scriptedCheck("store"), scriptedCheck("carrier", "a")];
  const { monitor: ours, present } = watch(store, carrier);
  await begin(ours);
  carrier.level = "down";
  await pass(30);
  expect(ours.standings()).toHaveLength(2);
  present.pop();
  await pass(1);
  expect(ours.standings().map(({ check }) => check)).toEqual(["store"]);
  present.push(carrier);
  await pass(1);
  expect(ours.standings()[1]).toMatchObject({ check: "carrier", level: "well" });
});

test("what an earlier process believed is believed until enough looks say otherwise", async () => {
  const store = scriptedCheck("store");
  const { monitor: ours, level } = watch(store);
  await begin(ours, new Map([["store", "down"]]));
  await pass(1);
  expect(level("store")).toBe("down");
  await pass(10);
  expect(level("store")).toBe("well");
});

test("stopping ends a look that runs and leaves nothing", async () => {
  const store = scriptedCheck("store");
  store.hangs = true;
  const { monitor: ours, told } = watch(store);
  await begin(ours);
  await pass(1);
  await ours.stop();
  const { length } = told;
  await pass(100);
  expect([store.looks, told.length, ours.standings()]).toEqual([1, length, []]);
});
