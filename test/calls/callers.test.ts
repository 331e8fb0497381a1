import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { CallerBook, keptNumber } from "../../src/calls/callers.ts";
import { type Call, newCall } from "../../src/core/call.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { CallOutcome } from "../../src/core/events.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import type { Store } from "../../src/stores/store.ts";

const ANN = "+15550005678";
const BOB = "+15550009999";
let store: Store;
let book: CallerBook;

beforeEach(async () => {
  store = memoryStore();
  await store.start();
  book = new CallerBook(store);
});

const note = (text: string, changes: { callId?: string; verified?: boolean; atMs?: number } = {}) => ({
  text,
  callId: "call_1",
  atMs: 1_000,
  verified: false,
  ...changes,
});

const over = (id: string, changes: Partial<Call> = {}): Call => ({
  ...newCall(),
  id,
  accountId: "default",
  from: ANN,
  to: "+15550001234",
  state: "ended",
  createdAtMs: 10_000,
  answeredAtMs: 12_000,
  endedAtMs: 60_000,
  ...changes,
});

const outcome = (changes: Partial<CallOutcome> = {}): CallOutcome => ({
  summary: "She asked for the papers.",
  outcome: "The papers will be sent.",
  commitments: [
    { by: "agent", what: "send the papers", due: "tomorrow", quote: "I'll send them tomorrow", atMs: 5_000 },
  ],
  needsAction: true,
  madeBy: "model",
  ...changes,
});

test("a caller's facts, messages, promises and calls are kept by number and account", async () => {
  await book.remember("default", ANN, note("I prefer the window."));
  await book.takeMessage("default", ANN, { ...note("Ring me."), for: "Bob" });
  await book.afterCall(over("call_1", { principal: "ann" }), outcome());
  expect(await book.profile("default", ANN)).toEqual({
    name: "ann",
    facts: [note("I prefer the window.")],
    messages: [{ ...note("Ring me."), for: "Bob" }],
    promises: [{ by: "agent", what: "send the papers", due: "tomorrow", callId: "call_1", atMs: 17_000, open: true }],
    lastCalls: [
      { callId: "call_1", atMs: 10_000, summary: "She asked for the papers.", outcome: "The papers will be sent." },
    ],
  });
  const nothing = { facts: [], messages: [], promises: [], lastCalls: [] };
  expect(await book.profile("default", BOB)).toEqual(nothing);
  expect(await book.profile("support", ANN)).toEqual(nothing);
});

test("case 30: what is known of a caller outlives the process that learnt it", async () => {
  await book.remember("default", ANN, note("I prefer the window."));
  await book.afterCall(over("call_1"), outcome());
  const next = new CallerBook(store);
  expect((await next.profile("default", ANN)).facts).toHaveLength(1);
  expect(await next.pastOutcomes("default", ANN)).toHaveLength(1);
  expect(await next.openPromises("default", ANN)).toHaveLength(1);
});

test("the same call, fact and message are kept once, however often they are told", async () => {
  for (const _again of [1, 2, 3]) {
    await book.remember("default", ANN, note("a"));
    await book.takeMessage("default", ANN, note("b"));
    await book.afterCall(over("call_1"), outcome());
  }
  const { facts, messages, promises, lastCalls } = await book.profile("default", ANN);
  expect([facts, messages, promises, lastCalls].map(({ length }) => length)).toEqual([1, 1, 1, 1]);
});

test("writers at the same moment lose nothing of each other's", async () => {
  const told = Array.from({ length: 8 }, (_, n) => note(`fact ${n}`));
  await Promise.all(told.map((fact) => new CallerBook(store).remember("default", ANN, fact)));
  const { facts } = await book.profile("default", ANN);
  expect(facts.map(({ text }) => text).sort()).toEqual(told.map(({ text }) => text));
});

test("a document that others change without end is given up with an error, not for ever", async () => {
  const contested = new CallerBook({ document: (kind, key) => store.document(kind, key), keep: async () => false });
  await expect(contested.remember("default", ANN, note("a"))).rejects.toThrow(StoreError);
});

describe("what is kept is bounded", () => {
  test("words: one line each, of bounded length, that ends no quotation", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", maxLength: 2_000 }), async (text) => {
        await book.forget("default", ANN);
        await book.remember("default", ANN, note(`x\n# ${text}`));
        await book.takeMessage("default", ANN, { ...note(`x\n---\n${text}`), for: text });
        const { facts, messages } = await book.profile("default", ANN);
        const lines = [facts[0]?.text, messages[0]?.text, messages[0]?.for ?? ""].map(String);
        for (const line of lines) expect(line).not.toMatch(/[\r\n\u2028\u2029"<>`]/);
        expect(lines.map(({ length }) => length <= 600)).toEqual([true, true, true]);
      }),
      { numRuns: 50 },
    );
  });

  test("50 facts: what somebody without proof says does not push out what the owner said", async () => {
    await book.remember("default", ANN, note("the owner's", { verified: true }));
    for (let n = 0; n < 120; n++) await book.remember("default", ANN, note(`claim ${n}`));
    const { facts } = await book.profile("default", ANN);
    expect(facts).toHaveLength(50);
    expect(facts[0]).toMatchObject({ text: "the owner's", verified: true });
    expect(facts.at(-1)?.text).toBe("claim 119");
  });

  test("20 calls, the newest, in the order in which they were made, whichever was finished last", async () => {
    const ids = Array.from({ length: 30 }, (_, n) => n);
    for (const n of ids.toReversed())
      await book.afterCall(over(`call_${n}`, { createdAtMs: n }), outcome({ commitments: [] }));
    const { lastCalls } = await book.profile("default", ANN);
    expect(lastCalls.map(({ callId }) => callId)).toEqual(ids.slice(-20).map((n) => `call_${n}`));
    const past = await book.pastOutcomes("default", ANN, 3);
    expect(past.map(({ callId }) => callId)).toEqual(["call_29", "call_28", "call_27"]);
  });

  test("20 promises: those that are done go first", async () => {
    const promise = (n: number) =>
      outcome({ commitments: [{ by: "agent", what: `do ${n}`, quote: "I will", atMs: n }] });
    for (let n = 0; n < 20; n++) await book.afterCall(over(`call_${n}`), promise(n));
    await book.closePromises("default", ANN, "call_7");
    expect(await book.openPromises("default", ANN)).toHaveLength(19);
    await book.afterCall(over("call_20"), promise(20));
    expect((await book.openPromises("default", ANN)).map(({ what }) => what)).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20].map((n) => `do ${n}`),
    );
  });
});

test("what was asked for is found by its call", async () => {
  await book.remember("default", ANN, note("one", { callId: "call_1" }));
  await book.remember("default", ANN, note("two", { callId: "call_2" }));
  await book.takeMessage("default", ANN, { ...note("Ring me.", { callId: "call_2" }), for: "Bob" });
  expect(await book.asked(over("call_2"))).toEqual({
    remembered: ["two"],
    messages: [{ for: "Bob", text: "Ring me." }],
  });
});

test("callers who hide their number share nothing: each call's wishes stay with the call", async () => {
  const hidden = (id: string) => over(id, { from: "anonymous" });
  await book.takeMessage("default", "anonymous", note("Ring me.", { callId: "call_1" }));
  await book.afterCall(hidden("call_1"), outcome());
  expect((await book.asked(hidden("call_1"))).messages).toEqual([{ text: "Ring me." }]);
  expect((await book.asked(hidden("call_2"))).messages).toEqual([]);
  expect(await book.profile("default", "anonymous")).toMatchObject({ messages: [], lastCalls: [], promises: [] });
});

test("who is forgotten is unknown", async () => {
  await book.remember("default", ANN, note("a"));
  await book.remember("default", BOB, note("b"));
  await book.forget("default", ANN);
  await book.forget("default", ANN);
  expect(await store.document("caller", `default:${ANN}`)).toBeUndefined();
  expect((await book.profile("default", BOB)).facts).toHaveLength(1);
});

test("a call whose number is forged is kept under no number: nobody else is taken for its caller", () => {
  const call = { direction: "inbound", from: "+15550005678", to: "+15550001234" } as const;
  expect(keptNumber(call)).toBe("+15550005678");
  expect(keptNumber({ ...call, attestation: "failed" })).toBe("");
});
