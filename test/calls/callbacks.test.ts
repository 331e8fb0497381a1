import { afterEach, describe, expect, test } from "vitest";
import { type CallbackOrder, type CallbackResult, Callbacks, type CallbacksParts } from "../../src/calls/callbacks.ts";
import { silentLogger } from "../../src/logger.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/stores/store.ts";
import { handClock } from "./clock.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

const started: Callbacks[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((callbacks) => callbacks.stop()));
});

async function world(results: (CallbackResult | Error)[] = [], existing?: Store) {
  const store = existing ?? memoryStore();
  if (!existing) await store.start();
  const clock = handClock();
  const orders: CallbackOrder[] = [];
  const place: CallbacksParts["place"] = async (order) => {
    orders.push(order);
    const result = results.shift() ?? "reached";
    if (result instanceof Error) throw result;
    return result;
  };
  const make = (parts: Partial<CallbacksParts> = {}) => {
    const callbacks = new Callbacks({ store, clock, logger: silentLogger, place, ...parts });
    started.push(callbacks);
    return callbacks;
  };
  const callbacks = make();
  const wish = (inMs: number, changes: object = {}) => ({
    ...{ accountId: "default", to: "+15550005678", fromCallId: "call_1", purpose: "the flight" },
    dueAtMs: clock.now() + inMs,
    ...changes,
  });
  const kept = async () =>
    (await store.documents<{ state: string; tries: number }>("callback")).map(({ value }) => value);
  /** Time passes, and what comes due has been carried out. */
  const pass = async (ms: number) => {
    clock.pass(ms);
    await callbacks.look();
    await new Promise<void>((resolve) => setImmediate(resolve));
    await callbacks.look();
  };
  return { callbacks, make, store, clock, orders, wish, kept, pass };
}

test("a call is placed when it is due, not before, and once", async () => {
  const { callbacks, orders, wish, kept, pass } = await world();
  callbacks.start();
  expect(await callbacks.schedule(wish(30 * MINUTE))).toBe("scheduled");
  await pass(30 * MINUTE - 1);
  expect(orders).toEqual([]);
  await pass(10_000);
  await pass(DAY);
  expect(orders).toEqual([
    {
      accountId: "default",
      to: "+15550005678",
      purpose: "the flight",
      requestId: expect.stringMatching(/^callback:.+:0$/),
    },
  ]);
  expect(await kept()).toMatchObject([{ state: "done", tries: 1 }]);
});

test("busy or not answered, it is tried again after five minutes, twice", async () => {
  const { callbacks, orders, wish, kept, pass } = await world(["unanswered", "unanswered", "unanswered"]);
  callbacks.start();
  await callbacks.schedule(wish(10 * MINUTE));
  await pass(10 * MINUTE);
  expect(orders).toHaveLength(1);
  await pass(5 * MINUTE - 20_000);
  expect(orders).toHaveLength(1);
  await pass(30_000);
  expect(orders).toHaveLength(2);
  await pass(6 * MINUTE);
  await pass(DAY);
  expect(new Set(orders.map(({ requestId }) => requestId)).size).toBe(3);
  expect(await kept()).toMatchObject([{ state: "failed", tries: 3 }]);
});

test("one that is refused is not tried again", async () => {
  const { callbacks, orders, wish, kept, pass } = await world(["refused"]);
  callbacks.start();
  await callbacks.schedule(wish(10 * MINUTE));
  await pass(10 * MINUTE);
  await pass(DAY);
  expect(orders).toHaveLength(1);
  expect(await kept()).toMatchObject([{ state: "failed" }]);
});

test("what could not be placed is placed a minute later under the same name", async () => {
  const { callbacks, orders, wish, kept, pass } = await world([new Error("All lines are taken.")]);
  callbacks.start();
  await callbacks.schedule(wish(10 * MINUTE));
  await pass(10 * MINUTE);
  await pass(50_000);
  expect(orders).toHaveLength(1);
  await pass(20_000);
  expect(orders).toHaveLength(2);
  expect(orders[0]?.requestId).toBe(orders[1]?.requestId);
  expect(await kept()).toMatchObject([{ state: "done", tries: 1 }]);
});

describe("a process that is killed", () => {
  test("before the time: the next one places the call", async () => {
    const first = await world();
    first.callbacks.start();
    await first.callbacks.schedule(first.wish(10 * MINUTE));
    await first.callbacks.stop();
    const next = await world([], first.store);
    next.callbacks.start();
    await next.pass(DAY);
    expect([first.orders.length, next.orders.length]).toEqual([0, 1]);
  });

  test("after the call was placed: the next one asks by the same name, so that it is placed once", async () => {
    const { make, store, clock, wish, pass, orders, callbacks } = await world();
    const placed = Promise.withResolvers<CallbackOrder>();
    const dying = make({
      place(order) {
        placed.resolve(order);
        return new Promise<never>(() => {}); // and is never heard of again
      },
    });
    await dying.schedule(wish(10 * MINUTE));
    clock.pass(10 * MINUTE);
    void dying.look();
    const { requestId } = await placed.promise;
    expect(await store.documents("callback")).toMatchObject([{ value: { state: "placing" } }]);
    await dying.stop();
    callbacks.start();
    await pass(10_000);
    expect(orders.map((order) => order.requestId)).toEqual([requestId]);
  });

  test("leaves nothing running", async () => {
    const { callbacks, clock } = await world();
    callbacks.start();
    callbacks.start();
    expect(clock.running).toBe(1);
    await callbacks.stop();
    await callbacks.stop();
    expect(clock.running).toBe(0);
  });
});

test("two that look at once place a call once", async () => {
  const { callbacks, make, orders, wish, clock } = await world();
  await callbacks.schedule(wish(10 * MINUTE));
  clock.pass(10 * MINUTE);
  const other = make();
  await Promise.all([callbacks.look(), other.look()]);
  await Promise.all([callbacks.stop(), other.stop()]);
  expect(orders).toHaveLength(1);
});

test("a caller has three calls to come at most, also when they ask for all at once", async () => {
  const { callbacks, wish } = await world();
  const asked = [1, 2, 3, 4].map((count) => callbacks.schedule(wish(count * 10 * MINUTE)));
  expect(await Promise.all(asked)).toEqual(["scheduled", "scheduled", "scheduled", "too-many"]);
  expect(await callbacks.schedule(wish(10 * MINUTE, { to: "+15550009999" }))).toBe("scheduled");
  expect(await callbacks.open("default", "+15550005678")).toHaveLength(3);
});

test("the same moment asked for twice on one call is one call", async () => {
  const { callbacks, wish } = await world();
  expect(await callbacks.schedule(wish(10 * MINUTE))).toBe("scheduled");
  expect(await callbacks.schedule(wish(10 * MINUTE))).toBe("scheduled");
  expect(await callbacks.open("default", "+15550005678")).toHaveLength(1);
});

test("what could not be placed for seven days is forgotten, and so is what is over", async () => {
  const { callbacks, orders, wish, kept, clock, pass } = await world();
  await callbacks.schedule(wish(10 * MINUTE));
  clock.pass(10 * MINUTE + 7 * DAY);
  callbacks.start();
  await pass(0);
  expect(orders).toEqual([]);
  expect(await kept()).toEqual([]);
  await callbacks.schedule(wish(10 * MINUTE));
  await pass(10 * MINUTE);
  expect(await kept()).toHaveLength(1);
  await pass(8 * DAY);
  expect([await kept(), orders.length]).toEqual([[], 1]);
});

test("a store that fails for a while stops nothing", async () => {
  const { make, store, orders, wish, clock } = await world();
  let broken = true;
  const callbacks = make({
    store: { ...store, documents: (kind) => (broken ? Promise.reject(new Error("disk")) : store.documents(kind)) },
  });
  await make().schedule(wish(10 * MINUTE));
  clock.pass(10 * MINUTE);
  await callbacks.look();
  expect(orders).toEqual([]);
  broken = false;
  await callbacks.look();
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(orders).toHaveLength(1);
});
