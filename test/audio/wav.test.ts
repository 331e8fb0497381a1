import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeWav, encodeWav } from "../../src/audio/wav.ts";

const samples = fc
  .array(fc.integer({ min: -32_768, max: 32_767 }), { maxLength: 50 })
  .map((all) => Int16Array.from(all));
const rates = fc.constantFrom(8_000, 16_000, 22_050, 24_000, 48_000);

/** A chunk that readers skip; an odd one is followed by a byte of padding. */
function chunk(id: string, body: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.write(id, "latin1");
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length & 1)]);
}

test("what was written is read again, and shorter channels end in silence", () => {
  fc.assert(
    fc.property(rates, fc.array(samples, { minLength: 1, maxLength: 2 }), (sampleRate, channels) => {
      const longest = Math.max(...channels.map(({ length }) => length));
      const read = decodeWav(encodeWav({ sampleRate, channels }));
      expect(read.sampleRate).toBe(sampleRate);
      expect(read.channels).toEqual(
        channels.map((channel) => {
          const padded = new Int16Array(longest);
          padded.set(channel);
          return padded;
        }),
      );
    }),
  );
});

test("the file is a canonical RIFF file, byte by byte", () => {
  const file = encodeWav({ sampleRate: 8_000, channels: [Int16Array.of(1, -2), Int16Array.of(0x1234, 0)] });
  const expected =
    "52494646 2c000000 57415645 666d7420 10000000 0100 0200 401f0000 007d0000 0400 1000 64617461 08000000 0100 3412 feff 0000";
  expect(file.toString("hex")).toBe(expected.replaceAll(" ", ""));
});

test("chunks that are not known are skipped, wherever they stand", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 9 }), samples, (junk, channel) => {
      const plain = encodeWav({ sampleRate: 8_000, channels: [channel] });
      const file = Buffer.concat([
        plain.subarray(0, 12),
        chunk("LIST", junk),
        plain.subarray(12, 36),
        chunk("fact", junk),
        plain.subarray(36),
        chunk("id3 ", junk),
      ]);
      expect(decodeWav(file).channels).toEqual([channel]);
    }),
  );
});

test("a file whose end is missing gives the whole frames that are there", () => {
  const file = encodeWav({ sampleRate: 8_000, channels: [Int16Array.of(1, 2, 3)] });
  expect(decodeWav(file.subarray(0, -1)).channels).toEqual([Int16Array.of(1, 2)]);
});

test("what is no 16-bit PCM WAV file is refused with what to do", () => {
  const plain = encodeWav({ sampleRate: 8_000, channels: [Int16Array.of(1)] });
  const changed = (at: number, value: number) => {
    const file = Buffer.from(plain);
    file.writeUInt16LE(value, at);
    return file;
  };
  expect(() => decodeWav(Buffer.alloc(0))).toThrow("header is missing");
  expect(() => decodeWav(Buffer.from("OggS and then something else"))).toThrow("header is missing");
  expect(() => decodeWav(changed(20, 7))).toThrow("convert it to 16-bit PCM"); // µ-law inside
  expect(() => decodeWav(changed(34, 8))).toThrow("convert it to 16-bit PCM");
  expect(() => decodeWav(plain.subarray(0, 36))).toThrow("no fmt chunk followed by a data chunk");
});
