import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeMulaw, FRAME_BYTES, FRAME_MS, MULAW_SILENCE, mulawMs } from "../../src/audio/g711.ts";
import { Pacer, type Piece } from "../../src/audio/pacer.ts";

const LEAD_MS = 350;
const PIECE_MS = 100;
/** Samples of the rise after a pause. */
const SOFTENED = 40;

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
          expect(playsUntil - now).toBeLessThanOrEqual(LEAD_MS);
          if (order.at(-1) !== itemId) order.push(itemId);
          out.set(itemId, [...(out.get(itemId) ?? []), Uint8Array.from(audio)]);
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
        expect(pacer.playsUntilMs - now).toBeLessThanOrEqual(LEAD_MS);
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

describe("held and let go again at any time", () => {
  /** What an item's sound becomes at the ear: a carrier plays frame after frame and drops those that have not begun. */
  function carrier() {
    let frames: { itemId: string; audio: Uint8Array; startsAtMs: number; goesOn: boolean }[] = [];
    return {
      takes(pieces: readonly Piece[], goesOn: boolean) {
        for (const { itemId, audio, startsAtMs } of pieces) {
          for (let at = 0; at < audio.length; at += FRAME_BYTES) {
            const first = goesOn && at === 0 && audio === pieces[0]?.audio;
            const frame = { itemId, audio: audio.slice(at, at + FRAME_BYTES), startsAtMs: startsAtMs + at / 8 };
            frames.push({ ...frame, goesOn: first });
          }
        }
      },
      drops(nowMs: number) {
        frames = frames.filter(({ startsAtMs }) => startsAtMs < nowMs);
      },
      get frames() {
        return frames;
      },
    };
  }
  const act = fc.oneof(
    { weight: 3, arbitrary: fc.record({ bytes: fc.integer({ min: 1, max: 2_400 }) }) },
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 150 }) }, // takes, after so many milliseconds
    { weight: 3, arbitrary: fc.constantFrom("hold", "hold", "release", "release", "next") },
  );

  test("nothing is lost, repeated or reordered, and only the first 5 ms after a pause are softened", () => {
    let pauses = 0;
    fc.assert(
      fc.property(fc.array(act, { minLength: 10, maxLength: 80, size: "max" }), (acts) => {
        const pacer = new Pacer();
        const ear = carrier();
        const said = new Map<string, number[]>();
        let [now, item, byte, released] = [1_000, 0, 0, false];
        const take = () => {
          const held = pacer.held;
          const pieces = pacer.take(now);
          if (held) expect(pieces).toEqual([]);
          ear.takes(pieces, released);
          if (pieces.length > 0) released = false;
          expect(pacer.playsUntilMs - now).toBeLessThanOrEqual(LEAD_MS);
        };
        for (const each of acts) {
          if (typeof each === "number") {
            now += each;
            take();
          } else if (each === "hold") {
            if (!pacer.held && ear.frames.some(({ startsAtMs }) => startsAtMs > now)) pauses += 1;
            if (!pacer.held) ear.drops(now);
            pacer.hold(now);
            expect(pacer.take(now)).toEqual([]);
          } else if (each === "release") {
            released ||= pacer.held;
            pacer.release();
          } else if (each === "next") {
            pacer.finish(`item_${item}`);
            item += 1;
          } else {
            const audio = Uint8Array.from({ length: each.bytes }, (_, i) => (byte + i) % 0x71);
            byte += each.bytes;
            said.set(`item_${item}`, [...(said.get(`item_${item}`) ?? []), ...audio]);
            pacer.push(`item_${item}`, audio);
          }
        }
        released ||= pacer.held;
        pacer.release();
        pacer.finish(`item_${item}`);
        for (let round = 0; pacer.waiting && round < 2_000; round++) {
          now += 40;
          take();
        }

        const heard = [...new Set(ear.frames.map(({ itemId }) => itemId))];
        expect(heard).toEqual([...said.keys()]);
        let until = 0;
        for (const { startsAtMs } of ear.frames) {
          expect(startsAtMs).toBeGreaterThanOrEqual(until - FRAME_MS); // the frame that plays at a pause ends in it
          until = startsAtMs + FRAME_MS;
        }
        for (const [itemId, bytes] of said) {
          const frames = ear.frames.filter((frame) => frame.itemId === itemId);
          expect(frames.length).toBe(Math.ceil(bytes.length / FRAME_BYTES));
          frames.forEach(({ audio, goesOn }, index) => {
            const from = index * FRAME_BYTES;
            const whole = Uint8Array.from({ length: FRAME_BYTES }, (_, i) => bytes[from + i] ?? MULAW_SILENCE);
            const kept = goesOn ? SOFTENED : 0;
            expect(Buffer.compare(audio.subarray(kept), whole.subarray(kept))).toBe(0);
            const [soft, loud] = [decodeMulaw(audio), decodeMulaw(whole)];
            for (let i = 0; i < kept; i++) {
              expect(Math.abs(soft[i] as number)).toBeLessThanOrEqual(Math.abs(loud[i] as number));
            }
            if (kept > 0) expect(Math.abs(soft[0] as number)).toBe(0);
          });
        }
      }),
      { numRuns: 300 },
    );
    expect(pauses).toBeGreaterThan(100);
  });

  test("what comes in crumbs after a pause rises all the same, and what was cleared leaves no rise behind", () => {
    const pacer = new Pacer();
    const loud = (bytes: number) => new Uint8Array(bytes).fill(0x80); // the highest sample there is
    pacer.push("item", loud(160));
    expect(pacer.take(0)).toHaveLength(1);
    pacer.hold(100);
    pacer.release();
    for (let i = 0; i < 16; i++) pacer.push("item", loud(10));
    const heights = [...decodeMulaw(pacer.take(500)[0]?.audio ?? new Uint8Array())];
    expect(heights.slice(0, SOFTENED)).toEqual(heights.slice(0, SOFTENED).toSorted((a, b) => a - b));
    expect(heights[0]).toBe(0);
    expect(new Set(heights.slice(SOFTENED))).toEqual(new Set([Math.max(...heights)]));
    pacer.hold(600);
    pacer.release();
    pacer.clear(600);
    pacer.push("next", loud(160));
    expect(pacer.take(700)[0]?.audio).toEqual(loud(160));
  });
});

test("a long pause is no debt: what was not spoken in it is not sent at once afterwards", () => {
  const pacer = new Pacer({ leadMs: LEAD_MS, pieceMs: PIECE_MS });
  pacer.push("item", new Uint8Array(80_000));
  const sentMs = (nowMs: number) => pacer.take(nowMs).reduce((sum, { audio }) => sum + mulawMs(audio.length), 0);
  expect(sentMs(0)).toBe(300); // no more than fits into 350
  expect(sentMs(49)).toBe(0);
  expect(sentMs(50)).toBe(PIECE_MS);
  expect(sentMs(60_000)).toBe(300);
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
