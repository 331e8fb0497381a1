import { expect, test } from "vitest";
import { blockNumber } from "../../bench/content.ts";
import { Loudspeaker } from "../../bench/generator/loudspeaker.ts";

const twoBlocks = () => {
  const phone = new Loudspeaker();
  phone.push(1_000, blockNumber(1, 0));
  phone.push(1_000, blockNumber(1, 1));
  return phone;
};

test("blocks play one after another from the moment the first has come", () => {
  const phone = twoBlocks();
  expect(phone.playsUntilMs).toBe(1_040);
  expect(phone.queuedMs(1_010)).toBe(30);
  expect([999, 1_010, 1_025, 1_500].map((at) => phone.playedMs(at))).toEqual([0, 10, 25, 40]);
});

test("a block that comes too late leaves a gap, the first of an answer does not", () => {
  const phone = twoBlocks();
  expect(phone.push(1_100, blockNumber(1, 2))).toBe(60);
  expect(phone.push(2_000, blockNumber(2, 0))).toBe(0);
  expect(phone.playedMs(2_010)).toBe(10);
});

test("what was cleared does not play, and there is nothing more to clear", () => {
  const phone = twoBlocks();
  expect(phone.hasToPlay(1_010)).toBe(true);
  phone.clear(1_010);
  expect([phone.queuedMs(1_010), phone.hasToPlay(1_010)]).toEqual([0, false]);
  expect(phone.playedMs(1_500)).toBe(20); // the block that was cut counts to its end
  phone.push(1_600, blockNumber(1, 1));
  expect(phone.playedMs(1_610)).toBe(30);
});

test("sound of the bridge's own delays an answer and is no part of it", () => {
  const phone = twoBlocks();
  phone.pushOther(1_000);
  expect(phone.hasToPlay(1_045)).toBe(false);
  phone.push(1_050, blockNumber(2, 0));
  expect(phone.playing).toEqual({ response: 2, starts: [1_060] });
});
