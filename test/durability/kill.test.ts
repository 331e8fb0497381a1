import { expect, test } from "vitest";
import { KINDS } from "./findings.ts";
import { runKills } from "./kill.ts";

const NOTHING = Object.fromEntries(KINDS.map((kind) => [kind, 0]));

test("nothing acknowledged is lost by four kills under calls, nor by one at every third gated append of a call", async () => {
  const report = await runKills({
    instants: 4,
    lines: 8,
    seed: 5,
    speed: 4,
    crashPoints: "outbound",
    stride: 3,
    say: () => {},
  });
  expect(report.why).toEqual([]);
  expect(report).toMatchObject({ ...NOTHING, instants: 4 });
  expect(report.points).toBeGreaterThan(9);
  expect(report.calls).toBeGreaterThan(report.points);
}, 120_000);
