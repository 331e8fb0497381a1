import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeBase64, decodedBytes } from "../../src/audio/base64.ts";

test("what was encoded comes back, byte for byte", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const into = new Uint8Array(400);
      const base64 = Buffer.from(Buffer.from(bytes).toString("base64"), "latin1");
      const count = decodeBase64(base64, into);
      expect(into.subarray(0, count)).toEqual(bytes);
      expect(decodedBytes(Buffer.concat([Buffer.from("=="), base64, Buffer.from("=")]), 2, 2 + base64.length)).toBe(
        count,
      );
    }),
  );
});

test("what does not fit in is left out, and nothing is written behind the end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.nat(200), (bytes, size) => {
      const memory = new Uint8Array(220).fill(7);
      const count = decodeBase64(
        Buffer.from(Buffer.from(bytes).toString("base64"), "latin1"),
        memory.subarray(0, size),
      );
      expect(count).toBe(Math.min(size, bytes.length));
      expect(memory.subarray(0, count)).toEqual(bytes.subarray(0, count));
      expect(memory.subarray(size).every((byte) => byte === 7)).toBe(true);
    }),
  );
});
