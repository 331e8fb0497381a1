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

test("pushes, takes, ends and clears in any order: nothing comes after a clear, nothing overtakes, nothing is invented", () => {
  const pushed = fc.record({ item: fc.nat(2), bytes: fc.nat(1_200) });
  const act = fc.oneof(
    { weight: 4, arbitrary: pushed },
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 200 }) }, // takes, after so many milliseconds
    { weight: 2, arbitrary: fc.constantFrom("finish", "finish", "clear") },
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const pacer = new Pacer({ leadMs: LEAD_MS, pieceMs: PIECE_MS });
      let now = 0;
      let byte = 0;
      let item = 0;
      let line: { itemId: string; said: number[]; ended: boolean }[] = []; // what must come, since the last clear
      let heard: { itemId: string; bytes: number[] }[] = [];
      const take = () => {
        for (const { itemId, audio, startsAtMs } of pacer.take(now)) {
          expect(audio.length % FRAME_BYTES).toBe(0);
          expect(audio.length).toBeGreaterThan(0);
          expect(startsAtMs).toBeGreaterThanOrEqual(now);
          expect(startsAtMs - now).toBeLessThan(LEAD_MS);
          if (heard.at(-1)?.itemId !== itemId) heard.push({ itemId, bytes: [] });
          heard.at(-1)?.bytes.push(...audio);
        }
        expect(pacer.playsUntilMs - now).toBeLessThan(LEAD_MS + PIECE_MS);
      };
      /** What was heard is what was said so far, in order; an item's end alone is padded. */
      const compare = () => {
        const spoken = line.filter(({ said }) => said.length > 0);
        expect(heard.map(({ itemId }) => itemId)).toEqual(spoken.slice(0, heard.length).map(({ itemId }) => itemId));
        heard.forEach(({ bytes }, index) => {
          const { said, ended } = spoken[index] as (typeof line)[0];
          const over = Math.max(0, bytes.length - said.length);
          expect(bytes).toEqual([...said.slice(0, bytes.length), ...Array<number>(over).fill(MULAW_SILENCE)]);
          expect(over).toBeLessThan(ended ? FRAME_BYTES : 1);
          if (index < heard.length - 1) expect(bytes.length).toBeGreaterThanOrEqual(said.length);
        });
      };
      for (const each of acts) {
        if (typeof each === "number") {
          now += each;
          take();
        } else if (each === "clear") {
          pacer.clear(now);
          compare();
          line = [];
          heard = [];
          item += 1;
          expect(pacer.waiting).toBe(false);
          expect(pacer.playsUntilMs).toBeLessThanOrEqual(now);
        } else if (each === "finish") {
          const last = line.at(-1);
          if (!last || last.ended) continue;
          last.ended = true;
          pacer.finish(last.itemId);
          item += 1;
        } else {
          if (each.item === 2 && line.length > 0) item += 1; // another item follows, though this one was not ended
          const itemId = `item_${item}`;
          const audio = Uint8Array.from({ length: each.bytes }, (_, index) => (byte + index) & 0x7f);
          byte += each.bytes;
          for (const before of line) if (before.itemId !== itemId) before.ended = true;
          if (line.at(-1)?.itemId !== itemId) line.push({ itemId, said: [], ended: false });
          line.at(-1)?.said.push(...audio);
          pacer.push(itemId, audio);
        }
      }
      for (const last of line) last.ended = true;
      pacer.finish(`item_${item}`);
      for (let round = 0; pacer.waiting && round < 2_000; round++) {
        now += 50;
        take();
      }
      compare();
      expect(heard.length).toBe(line.filter(({ said }) => said.length > 0).length);
    }),
    { numRuns: 500 },
  );
});

test("a long pause is no debt: what was not spoken in it is not sent at once afterwards", () => {
  const pacer = new Pacer({ leadMs: LEAD_MS, pieceMs: PIECE_MS });
  pacer.push("item", new Uint8Array(80_000));
  const sentMs = (nowMs: number) => pacer.take(nowMs).reduce((sum, { audio }) => sum + mulawMs(audio.length), 0);
  expect(sentMs(0)).toBe(LEAD_MS);
  expect(sentMs(1)).toBe(PIECE_MS);
  expect(sentMs(60_000)).toBe(LEAD_MS);
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
