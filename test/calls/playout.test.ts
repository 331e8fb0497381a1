import fc from "fast-check";
import { expect, test } from "vitest";
import { Playout } from "../../src/calls/playout.ts";

const piece = (itemId: string, startsAtMs: number, ms: number) => ({
  itemId,
  startsAtMs,
  audio: new Uint8Array(ms * 8),
});

test("heard is what has played, never what was produced or sent", () => {
  const playout = new Playout();
  playout.produced("a", 8_000);
  playout.sent([piece("a", 1_000, 100), piece("a", 1_100, 100)]);
  expect(playout.takeAll(1_130)).toEqual([{ itemId: "a", producedMs: 1_000, heardMs: 130, startedAtMs: 1_000 }]);
  expect(playout.takeAll(2_000)).toEqual([]);
});

test("an item of which nothing has played has no beginning", () => {
  const playout = new Playout();
  playout.produced("a", 800);
  playout.sent([piece("a", 1_000, 100)]);
  expect(playout.takeAll(990)).toEqual([{ itemId: "a", producedMs: 100, heardMs: 0 }]);
});

test("an item is finished once it is complete and all of it has played; padding is not heard", () => {
  const playout = new Playout();
  playout.produced("a", 120 * 8);
  playout.sent([piece("a", 0, 100), piece("a", 100, 40)]);
  expect(playout.takeFinished(500)).toEqual([]);
  playout.complete("a");
  expect(playout.takeFinished(119)).toEqual([]);
  expect(playout.takeFinished(120)).toEqual([{ itemId: "a", producedMs: 120, heardMs: 120, startedAtMs: 0 }]);
});

test("heard never exceeds produced and never shrinks", () => {
  const pieces = fc.array(fc.record({ gapMs: fc.nat(300), frames: fc.integer({ min: 1, max: 10 }) }), { minLength: 1 });
  fc.assert(
    fc.property(pieces, fc.array(fc.nat(400), { minLength: 1 }), fc.nat(2_000), (sent, steps, producedMs) => {
      const fresh = () => {
        const playout = new Playout();
        playout.produced("a", producedMs * 8);
        let at = 0;
        for (const { gapMs, frames } of sent) {
          playout.sent([piece("a", at + gapMs, frames * 20)]);
          at += gapMs + frames * 20;
        }
        return playout;
      };
      let now = 0;
      let before = 0;
      for (const step of steps) {
        now += step;
        const heard = fresh().takeAll(now)[0]?.heardMs ?? 0;
        expect(heard).toBeGreaterThanOrEqual(before);
        expect(heard).toBeLessThanOrEqual(Math.min(producedMs, now));
        before = heard;
      }
    }),
  );
});

test("a pause lets the frame that plays end; what goes on after it counts on from there", () => {
  const playout = new Playout();
  playout.produced("a", 300 * 8);
  playout.complete("a");
  playout.sent([piece("a", 0, 100), piece("a", 100, 100), piece("a", 200, 100)]);
  playout.paused(130);
  expect(playout.takeFinished(10_000)).toEqual([]);
  playout.sent([piece("a", 700, 60), piece("a", 760, 100)]);
  expect(playout.takeFinished(859)).toEqual([]);
  expect(playout.takeFinished(860)).toEqual([{ itemId: "a", producedMs: 300, heardMs: 300, startedAtMs: 0 }]);
});

test("a long answer is counted whole, though its old pieces are not kept", () => {
  const playout = new Playout();
  playout.produced("a", 60_000 * 8);
  for (let at = 0; at < 60_000; at += 100) {
    playout.sent([piece("a", at, 100)]);
    expect(playout.takeFinished(at)).toEqual([]);
  }
  playout.complete("a");
  expect(playout.takeFinished(59_999)).toEqual([]);
  expect(playout.takeFinished(60_000)).toEqual([{ itemId: "a", producedMs: 60_000, heardMs: 60_000, startedAtMs: 0 }]);
});
