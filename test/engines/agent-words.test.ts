import fc from "fast-check";
import { expect, test } from "vitest";
import { AgentWords, type WordsSoFar } from "../../src/engines/agent-words.ts";
import { handClock } from "../calls/clock.ts";

function bench() {
  const clock = handClock();
  const told: (WordsSoFar & { readonly atMs: number })[] = [];
  const startMs = clock.now();
  const words = new AgentWords(clock, (one) => told.push({ ...one, atMs: clock.now() - startMs }));
  return { clock, told, words };
}

test("words are told within 200 ms, and what came in that time is told together", () => {
  const { clock, told, words } = bench();
  for (const word of ["It ", "leaves ", "from ", "terminal "]) {
    words.add("r1", "i1", word);
    clock.pass(80);
  }
  clock.pass(1_000);
  expect(told).toEqual([
    { responseId: "r1", itemId: "i1", text: "It leaves from ", atMs: 200 },
    { responseId: "r1", itemId: "i1", text: "It leaves from terminal ", atMs: 440 },
  ]);
  expect(clock.running).toBe(0);
});

test("whatever comes when, the words are whole once they are asked for, and nothing is told twice", () => {
  const step = fc.oneof(
    fc.record({ add: fc.constantFrom("i1", "i2"), text: fc.string({ minLength: 1, maxLength: 5 }) }),
    fc.record({ pass: fc.integer({ min: 1, max: 300 }) }),
    fc.record({ tell: fc.constant(true) }),
    fc.record({ complete: fc.constantFrom("i1", "i2") }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { clock, told, words } = bench();
      const whole = new Map<string, string>();
      for (const one of steps) {
        if ("add" in one) {
          words.add("r1", one.add, one.text);
          whole.set(one.add, (whole.get(one.add) ?? "") + one.text);
        } else if ("pass" in one) clock.pass(one.pass);
        else if ("tell" in one) {
          words.tell();
          for (const [item, text] of whole) expect(told.findLast(({ itemId }) => itemId === item)?.text).toBe(text);
          expect(clock.running).toBe(0);
        } else {
          words.complete(one.complete);
          whole.delete(one.complete);
          for (let i = told.length - 1; i >= 0; i--) if (told[i]?.itemId === one.complete) told.splice(i, 1);
        }
      }
      for (const item of ["i1", "i2"]) {
        const texts = told.filter(({ itemId }) => itemId === item).map(({ text }) => text);
        expect(texts).toEqual([...new Set(texts)]);
      }
      clock.pass(200);
      expect(clock.running).toBe(0);
    }),
  );
});
