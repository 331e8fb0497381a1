import { expect, test } from "vitest";
import { runChaos } from "./chaos.ts";
import { KINDS } from "./findings.ts";
import { slope } from "./leak.ts";

const NOTHING = Object.fromEntries(KINDS.map((kind) => [kind, 0]));

test("sixty calls end with a reason each, whatever fails under them", async () => {
  const report = await runChaos({ calls: 60, lines: 15, seed: 5, speed: 4, say: () => {} });
  expect(report.why).toEqual([]);
  expect(report).toMatchObject({ ...NOTHING, calls: 60 });
  expect(Object.keys(report.faults).length).toBeGreaterThan(5);
}, 120_000);

test("a line through measurements has their slope, whatever they scatter by", () => {
  const points = [0, 100, 200, 300].map((calls, at) => [calls, 5_000 + 2 * calls + (at % 3 === 0 ? 10 : -10)] as const);
  expect(slope(points)).toBeCloseTo(2, 6);
});
