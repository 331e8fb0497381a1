import fc from "fast-check";
import { expect, test } from "vitest";
import { CallJournal, type JournalParts } from "../../src/calls/journal.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { JournalEntry } from "../../src/core/events.ts";
import { silentLogger } from "../../src/logger.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { handClock } from "./clock.ts";

const created = {
  type: "call.created",
  callId: "call_1",
  accountId: "default",
  direction: "inbound",
  from: "+15550005678",
  to: "+15550001234",
  transport: "media-stream",
} as const;

async function open(append?: (real: () => Promise<number>) => Promise<number>) {
  const store = memoryStore();
  await store.start();
  const clock = handClock();
  const told: JournalEntry[] = [];
  const parts: JournalParts = {
    callId: "call_1",
    clock,
    logger: silentLogger,
    signal: new AbortController().signal,
    store: append ? { ...store, append: (...order) => append(() => store.append(...order)) } : store,
    onDurable: (entry) => told.push(entry),
  };
  const journal = new CallJournal(parts);
  await journal.write(created);
  const digits = async () =>
    (await store.journal("call_1")).flatMap(({ event }) => (event.type === "dtmf.received" ? [event.digit] : []));
  return { journal, clock, told, digits, store };
}

const digit = (value: unknown) => ({ type: "dtmf.received", digit: String(value) }) as const;

test("what is written at any moment is durable when its promise resolves, in order, each once", async () => {
  const step = fc.record({ how: fc.constantFrom("write", "note"), turns: fc.nat(5) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), fc.nat(4), async (steps, slowness) => {
      const { journal, digits, told } = await open(async (real) => {
        for (let turn = 0; turn < slowness; turn++) await undefined;
        return real();
      });
      const writes: Promise<void>[] = [];
      for (const [index, { how, turns }] of steps.entries()) {
        if (how === "note") journal.note(digit(index));
        else writes.push(journal.write(digit(index)).then(async () => expect(await digits()).toContain(String(index))));
        for (let turn = 0; turn < turns; turn++) await undefined; // also the turn in which an append just ends
      }
      await Promise.all(writes);
      await journal.flush();
      expect(await digits()).toEqual(steps.map((_, index) => String(index)));
      expect(told.map(({ seq }) => seq)).toEqual(told.map((_, index) => index + 1));
    }),
    { numRuns: 300 },
  );
});

test("a write from within the news of an append is not lost", async () => {
  const { journal, digits } = await open();
  const chain = journal.write(digit(1)).then(() => journal.write(digit(2)).then(() => journal.write(digit(3))));
  await chain;
  expect(await digits()).toEqual(["1", "2", "3"]);
});

test("what was noted is durable within 50 ms, without anybody asking", async () => {
  const { journal, clock, digits } = await open();
  journal.note(digit(1));
  expect(await digits()).toEqual([]);
  clock.pass(50);
  await journal.flush();
  expect(await digits()).toEqual(["1"]);
  expect(clock.running).toBe(0);
});

test("when the store fails, what was gated is refused for good, and what was observed is tried again", async () => {
  let broken = false;
  const { journal, clock, digits } = await open((real) => (broken ? Promise.reject(new StoreError("full")) : real()));
  broken = true;
  journal.note(digit("seen"));
  await expect(journal.write(digit("gated"))).rejects.toThrow("full");
  broken = false;
  clock.pass(500);
  await journal.flush();
  expect(await digits()).toEqual(["seen"]);
  expect(journal.call.state).toBe("ringing");
});

test("whatever fails: gated events stand or are refused, observed ones stand in the end, in order and once", async () => {
  const step = fc.record({
    how: fc.constantFrom("write", "write two", "note"),
    turns: fc.nat(6),
    passMs: fc.constantFrom(0, 0, 40, 500),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.infiniteStream(fc.record({ fails: fc.boolean(), turns: fc.nat(4) })),
      async (steps, weather) => {
        let calm = true;
        const { journal, clock, digits, told } = await open(async (real) => {
          const { fails, turns } = weather.next().value;
          for (let turn = 0; turn < turns; turn++) await undefined;
          if (fails && !calm) throw new StoreError("full");
          return real();
        });
        calm = false;
        const fates = new Map<string, "durable" | "refused" | "observed">();
        const writes: Promise<void>[] = [];
        for (const [index, { how, turns, passMs }] of steps.entries()) {
          const names = how === "write two" ? [`${index}a`, `${index}b`] : [String(index)];
          if (how === "note") {
            for (const name of names) fates.set(name, "observed");
            journal.note(digit(index));
          } else {
            const fate = (durable: boolean) => {
              for (const name of names) fates.set(name, durable ? "durable" : "refused");
            };
            writes.push(
              journal.write(...names.map(digit)).then(
                async () => {
                  fate(true);
                  expect(await digits()).toEqual(expect.arrayContaining(names));
                },
                () => fate(false),
              ),
            );
          }
          for (let turn = 0; turn < turns; turn++) await undefined;
          clock.pass(passMs);
        }
        await Promise.all(writes);
        calm = true;
        clock.pass(500);
        await journal.flush();

        const stands = await digits();
        const kept = (how: string) => [...fates].filter(([, fate]) => fate === how).map(([name]) => name);
        expect(stands.toSorted()).toEqual([...kept("durable"), ...kept("observed")].toSorted());
        // A write is in order with the writes, a note with the notes; one that was tried again may come after a write.
        for (const how of ["durable", "observed"]) {
          expect(stands.filter((name) => fates.get(name) === how)).toEqual(
            kept(how).toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)),
          );
        }
        const heard = told.flatMap(({ event }) => (event.type === "dtmf.received" ? [event.digit] : []));
        expect(heard).toEqual(stands);
        expect(journal.seq).toBe(stands.length + 1);
        expect(clock.running).toBe(0);
      },
    ),
    { numRuns: 400 },
  );
});

test("a write that arrives while an append fails has its own fate, at once, also when the store is closing", async () => {
  const closing = new AbortController();
  const failing = Promise.withResolvers<number>();
  const store = memoryStore();
  await store.start();
  let appends = 0;
  const journal = new CallJournal({
    callId: "call_1",
    clock: handClock(),
    logger: silentLogger,
    signal: closing.signal,
    store: {
      ...store,
      append: (...order) => {
        appends += 1;
        return appends === 1 ? failing.promise : store.append(...order);
      },
    },
    onDurable: () => {},
  });
  const first = journal.write(created);
  while (appends === 0) await undefined;
  const second = journal.write(created);
  closing.abort();
  failing.reject(new StoreError("full"));
  await expect(first).rejects.toThrow("full");
  await second;
  expect(journal.call.id).toBe("call_1");
});

test("a refused write is neither folded, nor told of, nor written later", async () => {
  let broken = false;
  const { journal, clock, told, store } = await open((real) =>
    broken ? Promise.reject(new StoreError("full")) : real(),
  );
  broken = true;
  await expect(journal.write({ type: "leg.answered" })).rejects.toThrow(StoreError);
  broken = false;
  clock.pass(10_000);
  await journal.flush();
  expect(journal.call).toMatchObject({ state: "ringing" });
  expect(journal.call.answeredAtMs).toBeUndefined();
  expect(told).toHaveLength(1);
  expect(await store.journal("call_1")).toHaveLength(1);
});

test("an event has the time at which it happened, not at which it was stored", async () => {
  const { journal, clock, store } = await open();
  clock.pass(25);
  journal.note(digit(1));
  const notedAtMs = clock.now();
  clock.pass(40);
  await journal.flush();
  expect((await store.journal("call_1")).at(-1)?.event.atMs).toBe(notedAtMs);
});

test("an ended call observes nothing more, and the work after it is still written", async () => {
  const { journal, clock, store } = await open();
  await journal.write({ type: "call.ended", reason: "caller_hangup", longestSilenceMs: 0 });
  journal.note(digit(1));
  await journal.write({ type: "memory.written", file: "a.md" });
  await journal.flush();
  expect((await store.journal("call_1")).map(({ event }) => event.type)).toEqual([
    "call.created",
    "call.ended",
    "memory.written",
  ]);
  expect(clock.running).toBe(0);
});

test("once the store is closing nothing is tried again", async () => {
  const closing = new AbortController();
  const clock = handClock();
  let appends = 0;
  const append = async () => {
    appends += 1;
    throw new StoreError("stopped");
  };
  const journal = new CallJournal({
    callId: "call_1",
    clock,
    logger: silentLogger,
    signal: closing.signal,
    store: { ...memoryStore(), append },
    onDurable: () => {},
  });
  closing.abort();
  journal.note(digit(1));
  await journal.flush();
  clock.pass(60_000);
  expect(appends).toBe(1);
  expect(clock.running).toBe(0);
});

test("a journal that is taken up again goes on where it ended", async () => {
  const { journal, store } = await open();
  await journal.write({ type: "leg.answered" });
  const told: JournalEntry[] = [];
  const again = new CallJournal(
    {
      callId: "call_1",
      store,
      clock: handClock(),
      logger: silentLogger,
      signal: new AbortController().signal,
      onDurable: (entry) => told.push(entry),
    },
    { call: journal.call, seq: journal.seq },
  );
  await again.write(digit(1));
  expect(told.map(({ seq }) => seq)).toEqual([3]);
  expect(again.call.state).toBe("active");
});
