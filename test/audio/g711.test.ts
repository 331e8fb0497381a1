import { mulaw } from "alawmulaw";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeMulaw,
  encodeMulaw,
  FRAME_BYTES,
  FRAME_MS,
  isAudible,
  linearToMulaw,
  MULAW_SILENCE,
  MULAW_TO_LINEAR,
  mulawMs,
} from "../../src/audio/g711.ts";

const BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

test("every byte is decoded as another implementation decodes it", () => {
  expect(decodeMulaw(BYTES)).toEqual(mulaw.decode(BYTES));
  expect(MULAW_TO_LINEAR).toEqual(mulaw.decode(BYTES));
});

test("every sample is encoded as another implementation encodes it", () => {
  const different: number[] = [];
  for (let sample = -32_767; sample <= 32_767; sample++) {
    if (linearToMulaw(sample) !== (mulaw.encodeSample(sample) & 0xff)) different.push(sample);
  }
  expect(different).toEqual([]);
});

test("the lowest sample, which has no positive twin, is the loudest negative one", () => {
  expect(linearToMulaw(-32_768)).toBe(linearToMulaw(-32_767));
});

test("decoding and encoding again changes nothing, but that both zeros become one", () => {
  const again = [...encodeMulaw(decodeMulaw(BYTES))];
  expect(again).toEqual([...BYTES].map((byte) => (byte === 0x7f ? MULAW_SILENCE : byte)));
  expect(MULAW_TO_LINEAR[MULAW_SILENCE]).toBe(0);
});

test("what is decoded lies within half a step of what was encoded, up to the clip", () => {
  fc.assert(
    fc.property(fc.integer({ min: -32_635, max: 32_635 }), (sample) => {
      const heard = MULAW_TO_LINEAR[linearToMulaw(sample)] as number;
      const step = 2 ** (Math.floor(Math.log2(Math.abs(sample) + 0x84)) - 4);
      expect(Math.abs(heard - sample)).toBeLessThanOrEqual(step / 2);
    }),
  );
});

test("a frame is 20 ms", () => {
  expect(mulawMs(FRAME_BYTES)).toBe(FRAME_MS);
  expect(mulawMs(1)).toBe(0.125);
});

test("a frame is audible from −45 dBFS on, measured on its samples", () => {
  const sine = (dbfs: number) =>
    encodeMulaw(
      Int16Array.from({ length: FRAME_BYTES }, (_, i) =>
        Math.round(32_768 * Math.SQRT2 * 10 ** (dbfs / 20) * Math.sin((i / 8) * 2 * Math.PI + 0.3)),
      ),
    );
  expect([-60, -46, -44, -20, -6].map((dbfs) => isAudible(sine(dbfs)))).toEqual([false, false, true, true, true]);
  expect(isAudible(sine(-46), -50)).toBe(true);
  expect(isAudible(new Uint8Array(FRAME_BYTES).fill(MULAW_SILENCE))).toBe(false);
  expect(isAudible(new Uint8Array(0))).toBe(false);
});

test("loudness agrees with the level of the decoded samples", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: FRAME_BYTES }),
      fc.integer({ min: -80, max: 0 }),
      (frame, at) => {
        const power = decodeMulaw(frame).reduce((sum, sample) => sum + sample ** 2, 0) / frame.length;
        const threshold = 10 ** (at / 10) * 32_768 ** 2;
        expect(isAudible(frame, at)).toBe(power > threshold);
      },
    ),
  );
});
