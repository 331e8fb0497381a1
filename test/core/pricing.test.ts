import { expect, test } from "vitest";
import type { Usage } from "../../src/core/events.ts";
import { addUsage, carrierCostUsd, engineCostUsd, NO_USAGE } from "../../src/core/pricing.ts";

const million = (part: Partial<Usage>): Usage => ({
  ...NO_USAGE,
  ...Object.fromEntries(Object.entries(part).map(([key, count]) => [key, count * 1e6])),
});

test("each kind of token costs its list price", () => {
  const cost = (part: Partial<Usage>): number | undefined => engineCostUsd("gpt-realtime-2.1", million(part));
  expect(cost({ inputTextTokens: 1 })).toBeCloseTo(4, 9);
  expect(cost({ outputTextTokens: 1 })).toBeCloseTo(24, 9);
  expect(cost({ inputAudioTokens: 1 })).toBeCloseTo(32, 9);
  expect(cost({ outputAudioTokens: 1 })).toBeCloseTo(64, 9);
  expect(engineCostUsd("gpt-realtime-2.1-mini", million({ outputAudioTokens: 1 }))).toBeCloseTo(20, 9);
});

test("cached tokens are part of the input and cost the cached price instead of the full one", () => {
  const usage = million({ inputAudioTokens: 2, cachedAudioTokens: 1, inputTextTokens: 3, cachedTextTokens: 3 });
  expect(engineCostUsd("gpt-realtime-2.1", usage)).toBeCloseTo(32 + 0.4 + 3 * 0.4, 9);
});

test("no usage costs nothing; an unknown model has no price, rather than none to pay", () => {
  expect(engineCostUsd("gpt-realtime-2.1", NO_USAGE)).toBe(0);
  expect(engineCostUsd("a-model-of-tomorrow", NO_USAGE)).toBeUndefined();
});

test("usage adds up kind by kind and leaves its parts as they were", () => {
  const keys = Object.keys(NO_USAGE) as (keyof Usage)[];
  const one = Object.fromEntries(keys.map((key, index) => [key, index + 1])) as unknown as Usage;
  const ten = Object.fromEntries(keys.map((key, index) => [key, 10 * (index + 1)])) as unknown as Usage;
  const sum = addUsage(one, ten);
  expect(keys.map((key) => sum[key])).toEqual([11, 22, 33, 44, 55, 66]);
  expect(keys.map((key) => one[key])).toEqual([1, 2, 3, 4, 5, 6]);
  expect(addUsage(NO_USAGE, one)).toEqual(one);
});

test("the carrier charges every started minute, the stream included, and nothing for a call without connection", () => {
  expect(carrierCostUsd("inbound", 0)).toBe(0);
  expect(carrierCostUsd("inbound", 1)).toBeCloseTo(0.0125, 10);
  expect(carrierCostUsd("inbound", 60_000)).toBeCloseTo(0.0125, 10);
  expect(carrierCostUsd("inbound", 60_001)).toBeCloseTo(0.025, 10);
  expect(carrierCostUsd("outbound", 30_000)).toBeCloseTo(0.018, 10);
});
