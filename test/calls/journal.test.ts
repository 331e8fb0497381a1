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
