import fc from "fast-check";
import { expect, test } from "vitest";
import { JournalFeed } from "../../src/calls/journal-feed.ts";
import type { CallEvent, JournalEntry } from "../../src/core/events.ts";
import { memoryStore } from "../../src/stores/memory.ts";

const event = (digit: number): CallEvent => ({ type: "dtmf.received", digit: String(digit), atMs: digit });

async function world() {
  const store = memoryStore();
  await store.start();
  const feed = new JournalFeed();
  feed.open("call_1");
  let count = 0;
  const abort = new AbortController();
  return {
    store,
    feed,
    abort,
    /** As a journal does it: durable first, then told. */
    async add() {
      count += 1;
      const seq = await store.append("call_1", [event(count)]);
      feed.publish("call_1", { seq, event: event(count) });
    },
    follow: (afterSeq = 0, signal = abort.signal) => feed.follow(store, "call_1", afterSeq, signal),
  };
}

async function readAll(entries: AsyncIterable<JournalEntry>): Promise<number[]> {
  const seqs: number[] = [];
  for await (const { seq } of entries) seqs.push(seq);
  return seqs;
}

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await undefined;
};

test("every follower gets every entry after its own, once and in order, whenever it joins", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ act: fc.constantFrom("add", "add", "follow"), turns: fc.nat(6) }), { maxLength: 30 }),
      fc.nat(3),
      async (acts, afterSeq) => {
        const { add, follow, feed } = await world();
        const readers: Promise<number[]>[] = [];
        let total = 0;
        let adding = Promise.resolve();
        for (const { act, turns: count } of acts) {
          if (act === "follow") readers.push(readAll(follow(afterSeq)));
          else {
            total += 1;
            adding = adding.then(add); // one after another, as one journal appends
          }
          await turns(count);
        }
        await adding;
        feed.close("call_1");
        const all = Array.from({ length: total }, (_, index) => index + 1).filter((seq) => seq > afterSeq);
        for (const read of await Promise.all(readers)) expect(read).toEqual(all);
      },
    ),
    { numRuns: 300 },
  );
});

test("a follower waits for the next entry and ends with the call", async () => {
  const { add, follow, feed } = await world();
  await add();
  const entries = follow();
  expect((await entries.next()).value?.seq).toBe(1);
  const next = entries.next();
  await add();
  expect((await next).value?.seq).toBe(2);
  const end = entries.next();
  feed.close("call_1");
  expect(await end).toEqual({ done: true, value: undefined });
});

test("of a call that is over the past is given, and then the end", async () => {
  const { add, follow, feed } = await world();
  await add();
  await add();
  feed.close("call_1");
  expect(feed.isOpen("call_1")).toBe(false);
  expect(await readAll(follow(1))).toEqual([2]);
});

test("a reader who goes away is waited for no longer, and others are not disturbed", async () => {
  const { add, follow, feed, abort } = await world();
  const staying = readAll(follow(0, new AbortController().signal));
  const leaving = follow();
  const next = leaving.next();
  await turns(5);
  abort.abort();
  expect((await next).done).toBe(true);
  await add();
  feed.close("call_1");
  expect(await staying).toEqual([1]);
  expect(await readAll(follow(0, abort.signal))).toEqual([1]); // it came too late to wait, not too late to read
});

test("news of another call are not told", async () => {
  const { add, follow, feed } = await world();
  feed.open("call_2");
  const read = readAll(follow());
  await turns(5);
  feed.publish("call_2", { seq: 1, event: event(9) });
  await add();
  feed.close("call_2");
  await add();
  feed.close("call_1");
  expect(await read).toEqual([1, 2]);
});
