import fc from "fast-check";
import { expect, test } from "vitest";
import type { Account } from "../../src/calls/account.ts";
import { type LiveCall, LiveCalls } from "../../src/calls/live-calls.ts";
import { LimitReachedError } from "../../src/core/errors.ts";

const account = (id: string, limits: Partial<Account["limits"]> = {}) =>
  ({ id, limits: { maxCallSeconds: 60, maxConcurrentCalls: 2, placementsPerMinute: 3, ...limits } }) as Account;
const live = (id: string, of: Account, legId?: string) =>
  ({ id, account: of, legId, timers: [] as { stop(): void }[] }) as unknown as LiveCall;

test("a call is found by its id and its leg while it lives, and its timers stop with it", () => {
  const calls = new LiveCalls();
  const call = live("call_1", account("default"), "CA1");
  let stopped = 0;
  const stop = () => {
    stopped += 1;
  };
  call.timers.push({ stop }, { stop });
  calls.add(call);
  calls.add(live("call_2", account("other")));
  expect([calls.get("call_1"), calls.byLeg("CA1"), calls.size, calls.count("default")]).toEqual([call, call, 2, 1]);
  expect([calls.get(undefined), calls.get("call_9"), calls.byLeg("CA9")]).toEqual([undefined, undefined, undefined]);
  calls.remove(call);
  expect([calls.get("call_1"), calls.byLeg("CA1"), calls.size, calls.count("default")]).toEqual([
    undefined,
    undefined,
    1,
    0,
  ]);
  expect(stopped).toBe(2);
});

test("an account has as many calls at once as it may, whatever others have", () => {
  const calls = new LiveCalls();
  const [ours, others] = [account("ours"), account("others")];
  for (let index = 0; index < 5; index++) calls.add(live(`other_${index}`, others));
  calls.add(live("call_1", ours));
  calls.countPlacement(ours, 0);
  const second = live("call_2", ours);
  calls.add(second);
  expect(() => calls.countPlacement(ours, 1)).toThrow(LimitReachedError);
  expect(() => calls.countPlacement(ours, 1)).toThrow("limits.maxConcurrentCalls (2)");
  calls.remove(second);
  calls.countPlacement(ours, 2);
});

test("in no 60 seconds are more calls placed than the account may, and none is refused without need", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40_000), { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (gaps, most) => {
      const calls = new LiveCalls();
      const [ours, others] = [account("ours", { placementsPerMinute: most }), account("others")];
      const placed: number[] = [];
      let now = 0;
      for (const gap of gaps) {
        now += gap;
        const recent = placed.filter((atMs) => atMs > now - 60_000).length;
        if (recent < most) {
          calls.countPlacement(ours, now);
          placed.push(now);
        } else {
          expect(() => calls.countPlacement(ours, now)).toThrow(`limits.placementsPerMinute (${most})`);
        }
      }
      calls.countPlacement(others, now);
    }),
  );
});

test("the same call is placed by one after another, also when one fails; different calls do not wait", async () => {
  const calls = new LiveCalls();
  const told: string[] = [];
  const first = Promise.withResolvers<string>();
  const placing = [
    calls.oneByOne("call_1", () => {
      told.push("first begins");
      return first.promise;
    }),
    calls.oneByOne("call_1", async () => void told.push("second")),
    calls.oneByOne("call_1", async () => void told.push("third")),
  ];
  await calls.oneByOne("call_2", async () => void told.push("another call"));
  expect(told).toEqual(["first begins", "another call"]);
  first.reject(new Error("No line."));
  const [failed, ...others] = await Promise.allSettled(placing);
  expect(failed?.status).toBe("rejected");
  expect(others.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
  expect(told.slice(2)).toEqual(["second", "third"]);
});

test("whoever waits to place a call never runs beside another who places it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ turns: fc.nat(5), later: fc.nat(5) }), { maxLength: 12 }), async (orders) => {
      const calls = new LiveCalls();
      let running = 0;
      const all: Promise<void>[] = [];
      for (const { turns, later } of orders) {
        all.push(
          calls.oneByOne("call_1", async () => {
            running += 1;
            expect(running).toBe(1);
            for (let turn = 0; turn < turns; turn++) await undefined;
            running -= 1;
          }),
        );
        for (let turn = 0; turn < later; turn++) await undefined;
      }
      await Promise.all(all);
    }),
  );
});
