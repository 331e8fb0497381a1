import fc from "fast-check";
import { expect, test } from "vitest";
import { spell } from "../../bench/generator/spelling.ts";
import { FrameReader, frame, OPCODE } from "../../bench/wire/frames.ts";

const payloads = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.constantFrom(125, 126, 65_535, 65_536).map((length) => new Uint8Array(length).fill(length & 0xff)),
  ),
  { minLength: 1, maxLength: 5 },
);
const masks = fc.option(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { nil: undefined });

test("frames are read as they were written, masked or not, however the network cuts them", () => {
  fc.assert(
    fc.property(payloads, masks, fc.integer({ min: 1, max: 4_000 }), (sent, mask, cut) => {
      const bytes = Buffer.concat(sent.map((payload) => frame(OPCODE.text, Buffer.from(payload), mask)));
      const got: Buffer[] = [];
      const reader = new FrameReader((opcode, payload) => {
        expect(opcode).toBe(OPCODE.text);
        got.push(Buffer.from(payload));
      });
      for (let at = 0; at < bytes.length; at += cut) reader.push(Buffer.from(bytes.subarray(at, at + cut)));
      expect(got.map(String)).toEqual(sent.map((payload) => String(Buffer.from(payload))));
    }),
    { numRuns: 30 },
  );
});

test("a message in several frames is refused, not misread", () => {
  const first = frame(OPCODE.text, Buffer.from("half"));
  first[0] = OPCODE.text;
  expect(() => new FrameReader(() => {}).push(first)).toThrow("several frames");
});

test("odd JSON means what the usual JSON means and is spelled otherwise", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (event) => {
      const [usual, odd] = [spell(event, "usual").toString(), spell(event, "odd").toString()];
      expect(JSON.parse(odd)).toEqual(JSON.parse(usual));
      if (Object.keys(event).length > 0) expect(odd).not.toBe(usual);
    }),
  );
  expect(spell({ a: "x/y" }, "odd").toString()).toContain("x\\/y");
});
