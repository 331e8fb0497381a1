import fc from "fast-check";
import { expect, test } from "vitest";
import { FRAME_BYTES, MULAW_SILENCE, mulawMs } from "../../src/audio/g711.ts";
import { Pacer } from "../../src/audio/pacer.ts";

const LEAD_MS = 300;
const PIECE_MS = 100;

const items = fc.array(fc.array(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 4,
});

test("nothing is lost, changed or reordered, in whole frames, and the lead is never exceeded", () => {
  fc.assert(
    fc.property(items, fc.infiniteStream(fc.integer({ min: 1, max: 90 })), (spoken, steps) => {
      const pacer = new Pacer();
      const out = new Map<string, Uint8Array[]>();
      const order: string[] = [];
      let now = 1_000;
      let playsUntil = 0;
      const take = () => {
        for (const { itemId, audio, startsAtMs } of pacer.take(now)) {
          expect(audio.length % FRAME_BYTES).toBe(0);
          expect(startsAtMs).toBe(Math.max(now, playsUntil));
          playsUntil = startsAtMs + mulawMs(audio.length);
          expect(playsUntil - now).toBeLessThan(LEAD_MS + PIECE_MS);
          if (order.at(-1) !== itemId) order.push(itemId);
          out.set(itemId, [...(out.get(itemId) ?? []), audio]);
        }
        now += steps.next().value;
      };
      spoken.forEach((chunks, index) => {
        for (const chunk of chunks) {
          pacer.push(`item_${index}`, chunk);
          take();
        }
        pacer.finish(`item_${index}`);
        take();
      });
      for (let rounds = 0; pacer.waiting && rounds < 10_000; rounds++) take();

      expect(pacer.waiting).toBe(false);
      expect(order).toEqual(spoken.map((_, index) => `item_${index}`));
      spoken.forEach((chunks, index) => {
        const said = Buffer.concat(chunks);
        const heard = Buffer.concat(out.get(`item_${index}`) ?? []);
        expect(heard.subarray(0, said.length).equals(said)).toBe(true);
        expect([...heard.subarray(said.length)].every((byte) => byte === MULAW_SILENCE)).toBe(true);
        expect(heard.length - said.length).toBeLessThan(FRAME_BYTES);
      });
    }),
    { numRuns: 200 },
  );
});

test("what is cleared is never handed out, and what follows plays at once", () => {
  const pacer = new Pacer();
  pacer.push("old", new Uint8Array(8_000).fill(1));
  expect(pacer.take(0).length).toBeGreaterThan(0);
  pacer.clear(120);
  expect(pacer.waiting).toBe(false);
  expect(pacer.playsUntilMs).toBe(120);
  pacer.push("new", new Uint8Array(800).fill(2));
  const [piece] = pacer.take(150);
  expect(piece).toMatchObject({ itemId: "new", startsAtMs: 150 });
});

test("a piece that fills no whole frame waits for the rest of its item", () => {
  const pacer = new Pacer();
  pacer.push("item", new Uint8Array(100).fill(5));
  expect(pacer.take(0)).toEqual([]);
  pacer.push("item", new Uint8Array(100).fill(5));
  expect(pacer.take(0)[0]?.audio).toEqual(new Uint8Array(160).fill(5));
  pacer.finish("item");
  expect(pacer.take(0)[0]?.audio.subarray(0, 41)).toEqual(Uint8Array.from([...Array(40).fill(5), MULAW_SILENCE]));
});
