import fc from "fast-check";
import { expect, test } from "vitest";
import { DtmfDetector, dtmfSequence } from "../../src/audio/dtmf.ts";
import { MULAW_SILENCE } from "../../src/audio/g711.ts";
import { KeyTones } from "../../src/calls/key-tones.ts";

/** Keys on a line that keeps what is to sound, item by item. */
function start() {
  const queue: { itemId: string; audio: Uint8Array }[] = [];
  let items = 0;
  const tones = new KeyTones((audio) => {
    items += 1;
    queue.push({ itemId: `item_${items}`, audio });
    return `item_${items}`;
  });
  return { tones, queue };
}

test("keys sound as they were sent, and are known as keys until they are over", () => {
  const { tones, queue } = start();
  tones.send("1w2#", { durationMs: 100 });
  expect(queue).toEqual([{ itemId: "item_1", audio: dtmfSequence("1w2#", { durationMs: 100 }) }]);
  expect([tones.has("item_1"), tones.has("item_2")]).toEqual([true, false]);
  tones.over({ itemId: "item_1", heardMs: 1_040 });
  expect(tones.has("item_1")).toBe(false);
  expect(queue).toHaveLength(1);
});

test("words that are cut do not come back", () => {
  const { tones, queue } = start();
  tones.over({ itemId: "words", heardMs: 100 });
  expect(queue).toEqual([]);
});

test("however often keys are cut, each is heard once, in order", () => {
  const digits = fc.array(fc.constantFrom(..."0123456789*#ABCDw"), { minLength: 1, maxLength: 8 });
  // Cuts of 20 to 40 ms into a tone may leave it recognised or not; those at its begin or well into it must not matter.
  const cuts = fc.array(fc.record({ key: fc.nat(3), intoMs: fc.constantFrom(0, 60, 100) }), { maxLength: 6 });
  fc.assert(
    fc.property(digits, cuts, (keys, all) => {
      const { tones, queue } = start();
      tones.send(keys.join(""));
      const detector = new DtmfDetector();
      let heard = "";
      let left = keys.join("");
      const play = (cut?: { key: number; intoMs: number }) => {
        const item = queue.shift();
        if (!item) return;
        const startMs = dtmfSequence(left.slice(0, cut?.key ?? left.length)).length / 8;
        const heardMs = Math.min(startMs + (cut?.intoMs ?? 0), item.audio.length / 8);
        heard += detector.hear(item.audio.subarray(0, heardMs * 8));
        heard += detector.hear(new Uint8Array(400).fill(MULAW_SILENCE));
        tones.over({ itemId: item.itemId, heardMs });
        const next = queue[0]?.audio.length ?? 0;
        while (dtmfSequence(left).length > next) left = left.slice(1);
      };
      for (const cut of all) play(cut);
      play();
      expect(heard).toBe(keys.join("").replaceAll("w", ""));
      expect(queue).toEqual([]);
    }),
  );
});
