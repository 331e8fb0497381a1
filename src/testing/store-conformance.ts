import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { apply, type Call, callerNumber, isSettled, newCall } from "../core/call.ts";
import { StoreError } from "../core/errors.ts";
import { AFTERWARDS, type CallEvent } from "../core/events.ts";
import type { CallQuery, Store } from "../stores/store.ts";
import { journals } from "./journals.ts";
import { created, ended } from "./store-events.ts";
import { storeKeepingConformance } from "./store-keeping-conformance.ts";

/**
 * Everything the `Store` contract says, as tests. Call it inside a `describe` of vitest; fast-check must be installed.
 * `make` gets an empty folder of its own each time and returns a store that is not started.
 *
 * @example describe("my store", () => storeConformance((dir) => myStore({ path: join(dir, "calls.db") })));
 */
export function storeConformance(make: (dir: string) => Store): void {
  let dir: string;
  let store: Store;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "store-"));
    store = make(dir);
    await store.start();
  });
  afterEach(async () => {
    await store.stop();
    await rm(dir, { recursive: true });
  });

  /** Property tests share one store: every run gets calls of its own. */
  let runs = 0;
  const freshId = (): string => {
    runs += 1;
    return `call_run${runs}`;
  };

  describe("journals", () => {
    test("seq counts from 1 within each call and an append resolves with the last one it wrote", async () => {
      expect(await store.append("call_a", [created("call_a"), at("leg.ringing")])).toBe(2);
      expect(await store.append("call_b", [created("call_b")])).toBe(1);
      expect(await store.append("call_a", [at("leg.dialling")])).toBe(3);
      const journal = await store.journal("call_a");
      expect(journal.map(({ seq, event }) => [seq, event.type])).toEqual([
        [1, "call.created"],
        [2, "leg.ringing"],
        [3, "leg.dialling"],
      ]);
    });

    test("events come back as they went in, whatever they hold", async () => {
      await fc.assert(
        fc.asyncProperty(journals(), async (events) => {
          const callId = freshId();
          await store.append(callId, events);
          expect((await store.journal(callId)).map(({ event }) => event)).toEqual(events);
        }),
        { numRuns: 50 },
      );
    });

    test("a journal is read from after a seq on; an unknown call has none", async () => {
      await store.append("call_a", [created("call_a"), at("leg.ringing"), at("leg.dialling")]);
      expect((await store.journal("call_a", 1)).map(({ seq }) => seq)).toEqual([2, 3]);
      expect(await store.journal("call_a", 3)).toEqual([]);
      expect(await store.journal("call_unknown")).toEqual([]);
    });

    test("appending nothing writes nothing and resolves with the seq so far", async () => {
      expect(await store.append("call_a", [])).toBe(0);
      await store.append("call_a", [created("call_a")]);
      expect(await store.append("call_a", [])).toBe(1);
      expect(await store.journal("call_a")).toHaveLength(1);
    });

    test("appends of one call that nobody waits for keep their order", async () => {
      const digits = Array.from({ length: 200 }, (_, index) => String(index));
      const seqs = await Promise.all(digits.map((digit) => store.append("call_a", [dtmf(digit)])));
      expect(seqs).toEqual(digits.map((_, index) => index + 1));
      expect(digitsOf(await store.journal("call_a"))).toEqual(digits);
    });

    test("concurrent appends of many calls all land, each in its own journal, groups unbroken", async () => {
      const calls = Array.from({ length: 20 }, (_, index) => `call_${index}`);
      await Promise.all(
        Array.from({ length: 10 }, (_, round) => round).flatMap((round) =>
          calls.map((callId) => store.append(callId, [dtmf(`${callId}/${round}a`), dtmf(`${callId}/${round}b`)])),
        ),
      );
      for (const callId of calls) {
        const expected = Array.from({ length: 10 }, (_, round) => [
          `${callId}/${round}a`,
          `${callId}/${round}b`,
        ]).flat();
        expect(digitsOf(await store.journal(callId))).toEqual(expected);
      }
    });

    test("events are written all or none: one that cannot be stored takes its own append with it, nothing else", async () => {
      const loop: Record<string, unknown> = {};
      loop["self"] = loop;
      const bad: CallEvent = Object.assign(dtmf("bad"), { loop });
      const [before, failed, after] = await Promise.allSettled([
        store.append("call_a", [dtmf("1")]),
        store.append("call_a", [dtmf("2"), bad, dtmf("3")]),
        store.append("call_a", [dtmf("4")]),
      ]);
      expect([before, after]).toEqual([
        { status: "fulfilled", value: 1 },
        { status: "fulfilled", value: 2 },
      ]);
      expect((failed as PromiseRejectedResult).reason).toBeInstanceOf(StoreError);
      expect(digitsOf(await store.journal("call_a"))).toEqual(["1", "4"]);
    });
  });

  describe("calls", () => {
    test("a call is what its whole journal folds to, however it was cut into appends", async () => {
      const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 7 }));
      await fc.assert(
        fc.asyncProperty(journals({ maxEvents: 80 }), cuts, async (events, sizes) => {
          const callId = freshId();
          for (let from = 0; from < events.length; ) {
            const to = from + (sizes.next().value as number);
            await store.append(callId, events.slice(from, to));
            from = to;
            const call = await store.call(callId);
            expect(call).toEqual(events.slice(0, to).reduce(apply, newCall()));
          }
        }),
        { numRuns: 30 },
      );
    });

    test("a call is found as soon as its append resolves, and not before it was created", async () => {
      expect(await store.call("call_a")).toBeUndefined();
      await store.append("call_a", [created("call_a")]);
      expect(await store.call("call_a")).toMatchObject({ id: "call_a", state: "ringing" });
    });

    test("what a reader does to a call or an entry changes nothing in the store", async () => {
      await store.append("call_a", [created("call_a")]);
      Object.assign((await store.call("call_a")) as Call, { state: "ended" });
      Object.assign((await store.journal("call_a"))[0]?.event as CallEvent, { callId: "call_b" });
      Object.assign((await store.calls()).calls[0] as Call, { state: "ended" });
      expect(await store.call("call_a")).toMatchObject({ id: "call_a", state: "ringing" });
      expect(await store.journal("call_a")).toEqual([{ seq: 1, event: created("call_a") }]);
    });

    test("lists are newest first, filtered, and their pages put together are the whole list", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(journals({ maxEvents: 6 }), { maxLength: 12 }),
          fc.constantFrom<CallQuery>({}, { only: "open" }, { only: "unfinished" }, { accountId: "support" }),
          fc.option(fc.constantFrom("+15550001234", "+15550005678"), { nil: undefined }),
          fc.integer({ min: 1, max: 5 }),
          async (lives, filter, caller, limit) => {
            const folder = await mkdtemp(join(dir, "run-"));
            const listed = make(folder);
            await listed.start();
            try {
              const ids = lives.map((_, index) => `call_${index}`);
              await Promise.all(
                lives.map((events, index) => listed.append(ids[index] as string, rename(events, ids[index] as string))),
              );
              const query = { ...filter, ...(caller !== undefined && { caller }) };
              const all = (await Promise.all(ids.map((id) => listed.call(id)))) as Call[];
              const expected = all.filter((call) => fits(call, query)).sort(newestFirst);
              expect((await everyPage(listed, { ...query, limit })).map(({ id }) => id)).toEqual(
                expected.map(({ id }) => id),
              );
              expect((await listed.calls(query)).calls).toEqual(expected);
            } finally {
              await listed.stop();
            }
          },
        ),
        { numRuns: 25 },
      );
    }, 60_000);

    test("a call is unfinished from its end until all that comes after it is done", async () => {
      const unfinished = async (): Promise<number> => (await store.calls({ only: "unfinished" })).calls.length;
      await store.append("call_a", [created("call_a")]);
      expect(await unfinished()).toBe(0);
      await store.append("call_a", [ended]);
      expect(await unfinished()).toBe(1);
      await store.append("call_a", [{ type: "memory.written", atMs: 9, file: "memory/2026-01-01.md" }]);
      expect(await unfinished()).toBe(1);
      await store.append("call_a", [{ type: "session.recorded", atMs: 9, how: "rows", rows: 2 }]);
      expect(await unfinished()).toBe(1);
      for (const step of AFTERWARDS)
        await store.append("call_a", [{ type: "afterwards.done", atMs: 9, step, result: "done" }]);
      expect(await unfinished()).toBe(0);
      expect((await store.calls({ only: "open" })).calls).toEqual([]);
      expect((await store.calls()).calls).toHaveLength(1);
    });

    test("a page holds 50 calls unless told, and 500 at most", async () => {
      const ids = Array.from({ length: 510 }, (_, index) => `call_${String(index).padStart(3, "0")}`);
      await Promise.all(ids.map((id, index) => store.append(id, [{ ...created(id), atMs: index }])));
      const first = await store.calls();
      expect(first.calls.map(({ id }) => id)).toEqual(ids.toReversed().slice(0, 50));
      expect((await store.calls({ limit: 2_000 })).calls).toHaveLength(500);
      const { calls, next } = await store.calls({ limit: 500, ...(first.next && { after: first.next }) });
      expect([calls.length, next]).toEqual([460, undefined]);
    });

    test("a call that begins while somebody pages shifts no page", async () => {
      for (const [index, id] of ["call_a", "call_b", "call_c"].entries()) {
        await store.append(id, [{ ...created(id), atMs: index }]);
      }
      const { calls, next = "" } = await store.calls({ limit: 2 });
      await store.append("call_d", [{ ...created("call_d"), atMs: 10 }]);
      expect(calls.map(({ id }) => id)).toEqual(["call_c", "call_b"]);
      expect((await store.calls({ limit: 2, after: next })).calls.map(({ id }) => id)).toEqual(["call_a"]);
    });

    test("a made-up cursor and a limit below 1 are the request's fault", async () => {
      await expect(store.calls({ after: "made up" })).rejects.toMatchObject({ code: "invalid_request" });
      await expect(store.calls({ limit: 0 })).rejects.toMatchObject({ code: "invalid_request" });
    });
  });

  describe("claims", () => {
    test("of many who claim a key at once, one is first", async () => {
      const claims = await Promise.all(Array.from({ length: 50 }, () => store.claim("SM1", 0, 1_000)));
      expect(claims.filter(({ first }) => first)).toHaveLength(1);
      expect(await store.claim("SM2", 0, 1_000)).toEqual({ first: true });
    });

    test("those who come again are told the answer once there is one, and the first answer stays", async () => {
      const text = '<Response>\u0000 "\ud800" 😀</Response>';
      await store.claim("SM1", 0, 1_000);
      expect(await store.claim("SM1", 1, 1_000)).toEqual({ first: false });
      await store.settle("SM1", text);
      await store.settle("SM1", "another");
      expect(await store.claim("SM1", 2, 1_000)).toEqual({ first: false, answer: text });
    });

    test("a key is held until it expires and then forgotten, with its answer", async () => {
      await store.claim("SM1", 0, 1_000);
      await store.settle("SM1", "done");
      expect(await store.claim("SM1", 1_000, 5_000)).toEqual({ first: false, answer: "done" });
      expect(await store.claim("SM1", 1_001, 2_000)).toEqual({ first: true });
      expect(await store.claim("SM1", 1_001, 2_000)).toEqual({ first: false });
    });

    test("a key that nobody holds settles into nothing", async () => {
      await store.settle("SM1", "done");
      expect(await store.claim("SM1", 0, 1_000)).toEqual({ first: true });
    });

    test("keys are told apart to the last character", async () => {
      for (const key of ["a", "A", "a ", "a\u0000b", "a\u0000c", "\ud800", "\ud801"]) {
        expect(await store.claim(key, 0, 1_000)).toEqual({ first: true });
      }
    });
  });

  describe("documents", () => {
    test("a document is kept, changed and removed by whoever knows its version, and nobody else", async () => {
      expect(await store.document("caller", "+1555")).toBeUndefined();
      expect(await store.keep("caller", "+1555", { name: "Ann" }, 0)).toBe(true);
      expect(await store.keep("caller", "+1555", { name: "Bob" }, 0)).toBe(false);
      expect(await store.document("caller", "+1555")).toEqual({ key: "+1555", value: { name: "Ann" }, version: 1 });
      expect(await store.keep("caller", "+1555", { name: "Eve" }, 2)).toBe(false);
      expect(await store.keep("caller", "+1555", { name: "Ann Lee" }, 1)).toBe(true);
      expect(await store.document("caller", "+1555")).toMatchObject({ value: { name: "Ann Lee" }, version: 2 });
      expect(await store.keep("caller", "+1555", undefined, 1)).toBe(false);
      expect(await store.keep("caller", "+1555", undefined, 2)).toBe(true);
      expect(await store.keep("caller", "+1555", undefined, 2)).toBe(false);
      expect(await store.document("caller", "+1555")).toBeUndefined();
    });

    test("of many who change the same version one succeeds", async () => {
      await store.keep("count", "a", 0, 0);
      const tries = await Promise.all(Array.from({ length: 20 }, (_, i) => store.keep("count", "a", i, 1)));
      expect(tries.filter(Boolean)).toHaveLength(1);
    });

    test("kinds are lists of their own, in the order of their keys, whatever the texts hold", async () => {
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(fc.string(), { maxLength: 5 }), fc.json(), async (keys, json) => {
          const kind = freshId();
          for (const key of keys) await store.keep(kind, key, JSON.parse(json), 0);
          const all = await store.documents(kind);
          expect(new Set(all.map(({ key }) => key))).toEqual(new Set(keys));
          for (const { value } of all) expect(value).toEqual(JSON.parse(json));
          expect(all).toEqual(await store.documents(kind));
        }),
        { numRuns: 30 },
      );
      await store.keep("digit", "2", "two", 0);
      await store.keep("digit", "1", "one", 0);
      expect((await store.documents("digit")).map(({ value }) => value)).toEqual(["one", "two"]);
    });

    test("what JSON cannot hold is refused and nothing is kept", async () => {
      await expect(store.keep("caller", "a", () => 1, 0)).rejects.toThrow(StoreError);
      expect(await store.document("caller", "a")).toBeUndefined();
    });
  });

  storeKeepingConformance(() => store, freshId);

  describe("lifetime", () => {
    test("stopping waits for what was asked before, and may be done twice", async () => {
      const pending = Promise.all(Array.from({ length: 50 }, (_, index) => store.append("call_a", [dtmf(`${index}`)])));
      await Promise.all([store.stop(), store.stop()]);
      expect((await pending).at(-1)).toBe(50);
      await store.stop();
    });

    test("after a stop, as before a start, everything rejects with StoreError", async () => {
      const unstarted = make(await mkdtemp(join(dir, "unstarted-")));
      await store.stop();
      for (const idle of [store, unstarted]) {
        const answers = await Promise.allSettled([
          idle.append("call_a", [dtmf("1")]),
          idle.journal("call_a"),
          idle.call("call_a"),
          idle.calls(),
          idle.claim("SM1", 0, 1),
          idle.settle("SM1", "done"),
          idle.search({ text: "word" }),
          idle.outdated({ accountId: "default", beforeMs: 1, limit: 1 }),
          idle.redact(["call_a"], 1),
          idle.remove(["call_a"]),
          idle.mentions(["call_a"]),
          idle.blot("+15550001111"),
          idle.unclaim(["SM1"]),
          idle.compact(),
          idle.damage(),
          idle.dropDamage(),
        ]);
        for (const answer of answers) {
          expect(answer.status).toBe("rejected");
          expect((answer as PromiseRejectedResult).reason).toBeInstanceOf(StoreError);
        }
      }
      await expect(store.start()).rejects.toBeInstanceOf(StoreError);
      await unstarted.stop();
    });
  });
}

// --- Internal helpers ---

const at = (type: "leg.ringing" | "leg.dialling"): CallEvent => ({ type, atMs: 2 });
const dtmf = (digit: string): CallEvent => ({ type: "dtmf.received", atMs: 3, digit });

const digitsOf = (journal: Awaited<ReturnType<Store["journal"]>>): string[] =>
  journal.flatMap(({ event }) => (event.type === "dtmf.received" ? [event.digit] : []));

const rename = (events: readonly CallEvent[], callId: string): CallEvent[] =>
  events.map((event) => (event.type === "call.created" ? { ...event, callId } : event));

/** The contract's own words about filters, written once more. */
function fits(call: Call, { accountId = call.accountId, caller = callerNumber(call), only }: CallQuery): boolean {
  if (call.accountId !== accountId || callerNumber(call) !== caller) return false;
  const over = call.state === "ended";
  return only === undefined || (only === "open" ? !over : over && !isSettled(call));
}

function newestFirst(a: Call, b: Call): number {
  return b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1);
}

async function everyPage(store: Store, query: CallQuery): Promise<Call[]> {
  const { calls, next } = await store.calls(query);
  return next === undefined ? [...calls] : [...calls, ...(await everyPage(store, { ...query, after: next }))];
}
