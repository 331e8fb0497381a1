import fc from "fast-check";
import { expect, test } from "vitest";
import { SoundRing } from "../../src/audio/sound-ring.ts";

/** Sounds of any length, and how much of what stands there is needed no more when each is written. */
const writes = fc.array(
  fc.record({
    length: fc.oneof(fc.nat({ max: 2_400 }), fc.integer({ min: 10_000, max: 200_000 })),
    forget: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  { maxLength: 40, size: "max" },
);

test("what is needed stays as it was written, wherever it lies and however much room it takes", () => {
  fc.assert(
    fc.property(writes, fc.double({ min: 0, max: 1, noNaN: true }), (all, middle) => {
      const ring = new SoundRing();
      let said = new Uint8Array(0);
      let needed = 0;
      let value = 0;
      for (const { length, forget } of all) {
        needed += Math.floor((ring.end - needed) * forget);
        const sound = Uint8Array.from({ length }, () => (value = (value + 7) % 251));
        ring.write(sound, needed);
        said = Uint8Array.from(Buffer.concat([said, sound]));
        expect(ring.end).toBe(said.length);
        const from = needed + Math.floor((ring.end - needed) * middle);
        expect(Buffer.compare(ring.read(needed, ring.end), said.subarray(needed))).toBe(0);
        expect(Buffer.compare(ring.read(from, ring.end), said.subarray(from))).toBe(0);
      }
    }),
    { numRuns: 100 },
  );
});

test("a place before the beginning or behind the end needs nothing", () => {
  const ring = new SoundRing();
  ring.write(Uint8Array.from([1, 2, 3]), 10);
  expect([...ring.read(0, 3)]).toEqual([1, 2, 3]);
});
