import fc from "fast-check";
import { expect, test } from "vitest";
import { CallerAudio } from "../../src/calls/engine-line-audio.ts";

/** A frame of so many bytes of sound, all of one value. */
const frameOf = (bytes: number, value: number) => Buffer.from(Buffer.alloc(bytes, value).toString("base64"), "latin1");

const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      add: fc.constantFrom(160, 160, 160, 80, 161, 1_600),
      times: fc.integer({ min: 1, max: 40 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ keepFromBackMs: fc.integer({ min: 0, max: 12_000 }) }) },
  { weight: 1, arbitrary: fc.constant({ keepLeast: true }) },
);

test("what is kept of the caller is what was asked for: at least a second, at most ten, each frame as it came", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat({ max: 12_000 }), (steps, backMs) => {
      const audio = new CallerAudio();
      let all: { frame: Buffer; startMs: number; endMs: number }[] = [];
      let totalMs = 0;
      let keepFromMs = Number.POSITIVE_INFINITY;
      let value = 0;
      for (const one of steps) {
        if ("add" in one) {
          for (let i = 0; i < one.times; i++) {
            const frame = frameOf(one.add, value++ & 0xff);
            audio.add(frame);
            const startMs = totalMs;
            totalMs += one.add / 8;
            all.push({ frame, startMs, endMs: totalMs });
            const fromMs = Math.max(Math.min(keepFromMs, totalMs - 1_000), totalMs - 10_000);
            all = all.filter(({ endMs }) => endMs > fromMs);
          }
        } else {
          keepFromMs = "keepLeast" in one ? Number.POSITIVE_INFINITY : totalMs - one.keepFromBackMs;
          audio.keepFrom("keepLeast" in one ? undefined : keepFromMs);
        }
      }
      const expected = all.filter(({ endMs }) => endMs > totalMs - backMs);
      const { startMs, frames } = audio.since(totalMs - backMs);
      expect(audio.totalMs).toBeCloseTo(totalMs, 6);
      expect(startMs).toBeCloseTo(expected[0]?.startMs ?? totalMs, 6);
      expect(frames.map(String)).toEqual(expected.map(({ frame }) => String(frame)));
    }),
  );
});
