import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RecordingUnreadableError } from "../../../src/calls/recording/errors.ts";
import { type KeyRing, parseKey, type RecordingKey } from "../../../src/calls/recording/keys.ts";
import { isSealed, SEGMENT_BYTES, Sealer, Unsealer } from "../../../src/calls/recording/sealed.ts";

const key = (id: string): RecordingKey => ({ id, secret: randomBytes(32) });
const KEYS: KeyRing = [key("2026"), key("2025")];
const SEALED_BYTES = SEGMENT_BYTES + 20;

/** Sound of so many bytes that tells where each was. */
const soundOf = (bytes: number) => Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 8)) & 0xff));

/** A sealed file in its pieces: the head, and each segment. Without an end it was killed. */
function seal(sound: Buffer, { by = KEYS[0], ends = true, startSample = 0 } = {}): Buffer[] {
  const sealer = new Sealer(by, { contents: "sound", startSample });
  const segments: Buffer[] = [];
  let at = 0;
  for (; at + SEGMENT_BYTES <= sound.length; at += SEGMENT_BYTES)
    segments.push(sealer.seal(sound.subarray(at, at + SEGMENT_BYTES)));
  return [sealer.head, ...segments, ...(ends ? [sealer.seal(sound.subarray(at), true)] : [])];
}

/** Opens a file that comes in pieces of a size. */
function unseal(file: Buffer, { step = 1_000, ...options }: { step?: number; keys?: KeyRing | undefined } = {}) {
  const unsealer = new Unsealer("keys" in options ? options.keys : KEYS);
  const opened: Buffer[] = [];
  for (let at = 0; at < file.length; at += step) opened.push(...unsealer.push(file.subarray(at, at + step)));
  return { sound: Buffer.concat(opened), finished: unsealer.finished, head: unsealer.head };
}

const lengths = fc.oneof(fc.nat(3 * SEGMENT_BYTES + 500), fc.constantFrom(0, SEGMENT_BYTES, 2 * SEGMENT_BYTES));
const steps = fc.integer({ min: 1, max: 9_000 });

describe("an encrypted recording", () => {
  test("opens as what was sealed, in whatever pieces it comes, and says that nothing is missing", () => {
    fc.assert(
      fc.property(lengths, steps, fc.nat(), (length, step, startSample) => {
        const sound = soundOf(length);
        const file = Buffer.concat(seal(sound, { startSample }));
        expect(isSealed(file)).toBe(true);
        const opened = unseal(file, { step: Math.max(step, length / 400) });
        expect(opened.sound.equals(sound)).toBe(true);
        expect(opened).toMatchObject({ finished: true, head: { contents: "sound", startSample } });
      }),
      { numRuns: 60 },
    );
  });

  test("that was cut off anywhere opens up to its last whole segment, and says that its end is missing", () => {
    fc.assert(
      fc.property(lengths, fc.double({ min: 0, max: 0.999_999, noNaN: true }), (length, share) => {
        const sound = soundOf(length);
        const [head = Buffer.alloc(0), ...segments] = seal(sound);
        const file = Buffer.concat([head, ...segments]);
        const cut = file.subarray(0, Math.floor(file.length * share));
        const whole = Math.floor(Math.max(0, cut.length - head.length) / SEALED_BYTES) * SEGMENT_BYTES;
        const opened = unseal(cut);
        expect(opened.finished).toBe(false);
        expect(opened.sound.equals(sound.subarray(0, whole))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("that was changed anywhere gives nothing that was not sealed, and is refused or known as cut off", () => {
    const sound = soundOf(2 * SEGMENT_BYTES + 300);
    const file = Buffer.concat(seal(sound));
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(file);
        changed[at] = (changed[at] as number) ^ flip;
        let opened: ReturnType<typeof unseal> | undefined;
        try {
          opened = unseal(changed, { step: file.length });
        } catch (error) {
          expect(error).toBeInstanceOf(RecordingUnreadableError);
          return;
        }
        expect(opened.finished).toBe(false);
        expect(sound.subarray(0, opened.sound.length).equals(opened.sound)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test("is refused when segments were put in another order, left out, doubled, or taken from another recording", () => {
    const [head = Buffer.alloc(0), a = head, b = head, c = head, end = head] = seal(soundOf(3 * SEGMENT_BYTES + 9));
    const [otherHead = head, otherA = head, otherB = head] = seal(soundOf(3 * SEGMENT_BYTES + 9));
    const wrong = [
      [head, b, a, c, end],
      [head, a, c, end],
      [head, b, c, end],
      [head, a, b, end],
      [head, a, a, b, c, end],
      [head, a, otherB, c, end],
      [head, otherA, b, c, end],
      [otherHead, a, b, c, end],
      [head, end],
      [head, a, b, c, end, end],
      [head, a, b, c, end, Buffer.from([0])],
    ];
    for (const pieces of wrong) expect(() => unseal(Buffer.concat(pieces))).toThrow(RecordingUnreadableError);
    expect(unseal(Buffer.concat([head, a, b, c, end])).finished).toBe(true);
  });

  test("whose last segment was made to look like any other, or any other like the last, is refused", () => {
    const [head = Buffer.alloc(0), a = head, end = head] = seal(soundOf(SEGMENT_BYTES + 9));
    const flipped = (segment: Buffer) =>
      Buffer.concat([segment.subarray(0, 3), Buffer.from([(segment[3] as number) ^ 0x80]), segment.subarray(4)]);
    expect(() => unseal(Buffer.concat([head, flipped(a), end]))).toThrow(RecordingUnreadableError);
    expect(() => unseal(Buffer.concat([head, a, flipped(end)]))).toThrow(RecordingUnreadableError);
  });

  test("whose end a machine without power left as zeros opens up to there", () => {
    const sound = soundOf(2 * SEGMENT_BYTES);
    const file = Buffer.concat([...seal(sound, { ends: false }), Buffer.alloc(5_000)]);
    expect(unseal(file)).toMatchObject({ finished: false });
    expect(unseal(file).sound.equals(sound)).toBe(true);
  });

  test("opens with the key it names, when a newer one is in use; without it, it is refused by name", () => {
    const sound = soundOf(500);
    const file = Buffer.concat(seal(sound, { by: KEYS[1] as RecordingKey }));
    expect(unseal(file).sound.equals(sound)).toBe(true);
    for (const keys of [undefined, [KEYS[0]] as KeyRing])
      expect(() => unseal(file, { keys })).toThrow(/the key "2025"/);
    expect(() => unseal(file, { keys: [{ id: "2025", secret: randomBytes(32) }] })).toThrow(RecordingUnreadableError);
  });

  test("has a key of its own, so that no two segments of a key share a nonce: the same sound never looks the same", () => {
    const sound = Buffer.alloc(2 * SEGMENT_BYTES + 100, 0xff);
    const segments = [seal(sound), seal(sound)].flatMap(([, ...all]) =>
      all.map((one) => one.subarray(4, 68).toString("hex")),
    );
    expect(new Set(segments).size).toBe(segments.length);
    for (const one of segments) expect(one).not.toMatch(/^(ff){8}/);
  });
});

test("a key is 32 bytes, in hex or in base64, and nothing else is one", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const secret = Buffer.from(bytes);
      for (const written of [secret.toString("hex"), secret.toString("base64"), ` ${secret.toString("base64url")}\n`]) {
        expect(parseKey(written)?.equals(secret)).toBe(true);
      }
    }),
  );
  for (const wrong of [
    "",
    "password",
    "ab".repeat(31),
    "ab".repeat(33),
    "z".repeat(64),
    randomBytes(33).toString("base64"),
  ]) {
    expect(parseKey(wrong)).toBeUndefined();
  }
});
