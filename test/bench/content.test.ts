import fc from "fast-check";
import { expect, test } from "vitest";
import {
  BlockReader,
  blockNumber,
  indexOf,
  MAX_SOURCES,
  NAME_BYTES,
  nameBlock,
  noFaults,
  OrderChecker,
  responseOf,
  seenFaults,
} from "../../bench/content.ts";
import { roomTone, speech } from "../../bench/generator/sound.ts";
import { decodeMulaw, isAudible } from "../../src/audio/g711.ts";

const blocks = fc.record({
  maker: fc.constantFrom("caller" as const, "agent" as const),
  source: fc.nat(MAX_SOURCES - 1),
  number: fc.nat(2 ** 28 - 1),
  loud: fc.boolean(),
});

test("a block says who made it, for whom and which it is, wherever it stands", () => {
  fc.assert(
    fc.property(blocks, fc.nat(400), (block, at) => {
      const bytes = new Uint8Array(at + 160);
      nameBlock(bytes, at, block);
      const reader = new BlockReader();
      expect(reader.read(bytes, at)).toBe(true);
      const { maker, source, number, loud } = reader;
      expect({ maker, source, number, loud }).toEqual(block);
    }),
  );
});

test("a name with one sample changed, or a block that is cut short, is not read", () => {
  fc.assert(
    fc.property(blocks, fc.nat(NAME_BYTES - 1), fc.integer({ min: 1, max: 255 }), (block, at, change) => {
      const bytes = new Uint8Array(160);
      nameBlock(bytes, 0, block);
      bytes[at] = (bytes[at] as number) ^ change;
      expect(new BlockReader().read(bytes, 0)).toBe(false);
    }),
  );
  const short = new Uint8Array(159);
  nameBlock(short, 0, { maker: "caller", source: 1, number: 1, loud: false });
  expect(new BlockReader().read(short, 0)).toBe(false);
});

test("an agent's block knows its response and its place in it", () => {
  expect(responseOf(blockNumber(77, 199))).toBe(77);
  expect(indexOf(blockNumber(77, 199))).toBe(199);
});

test("the caller's speech is heard by a meter in every frame, and room tone in none, with their names in them", () => {
  const named = (sound: readonly Uint8Array[], loud: boolean) =>
    sound.map((bytes, number) => {
      const copy = bytes.slice();
      nameBlock(copy, 0, { maker: "caller", source: 5, number, loud });
      return copy;
    });
  expect(named(speech(120), true).every((frame) => isAudible(frame, -30))).toBe(true);
  expect(named(roomTone(), false).some((frame) => isAudible(frame, -45))).toBe(false);
  expect(Math.max(...decodeMulaw(roomTone()[0] as Uint8Array))).toBeGreaterThan(0);
});

/** What has become of numbers 0 to n, by simple means. */
function reference(taken: readonly number[], end: number) {
  const seen = new Set<number>();
  let [doubled, reordered, highest] = [0, 0, -1];
  for (const number of taken) {
    if (seen.has(number)) doubled += 1;
    else if (number < highest) reordered += 1;
    seen.add(number);
    highest = Math.max(highest, number);
  }
  const through = Math.max(end - 1, highest);
  const lost = Array.from({ length: through + 1 }, (_, i) => i).filter((number) => !seen.has(number)).length;
  return { agentLost: lost, agentDoubled: doubled, agentReordered: reordered };
}

test("the order of blocks: what is lost, doubled or late is counted, each once", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30), { maxLength: 40 }), fc.nat(35), (taken, end) => {
      const faults = noFaults();
      const order = new OrderChecker(faults, "agent", 0);
      for (const number of taken) order.take(number);
      order.finish(end);
      const { agentLost, agentDoubled, agentReordered } = faults;
      expect({ agentLost, agentDoubled, agentReordered }).toEqual(reference(taken, end));
    }),
  );
});

test("blocks that come whole and in order are no fault", () => {
  const faults = noFaults();
  const order = new OrderChecker(faults, "caller", 1);
  for (let number = 1; number <= 500; number++) order.take(number);
  order.finish(501);
  expect(seenFaults(faults)).toEqual({});
});
