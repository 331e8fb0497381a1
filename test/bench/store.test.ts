import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readOptions } from "../../bench/options.ts";
import { measureStore, storeJson, storeText } from "../../bench/store.ts";

let workDir = "";
beforeAll(async () => {
  workDir = await mkdtemp(join(tmpdir(), "voice-bench-"));
});
afterAll(() => rm(workDir, { recursive: true, force: true }));

test("both ways to commit are measured over the same writes", async () => {
  const report = await measureStore({ calls: 3, rounds: 1, seconds: 0.2 }, { workDir, say: () => {} });
  const cost = { p50Ms: expect.any(Number), p99Ms: expect.any(Number), cpuMsPerCallSecond: expect.any(Number) };
  const writes = { commits: report.costs.full.commits };
  expect(storeJson(report)).toEqual({
    full: { ...cost, ...writes },
    normal: { ...cost, ...writes },
    calls: 3,
    rounds: 1,
    seconds: 0.2,
  });
  expect(writes.commits).toBeGreaterThanOrEqual(4);
  expect(storeText(report)).toMatch(/^3 calls at once.*\n.*\n {2}full +\d.*\n {2}normal +\d/);
});

test("the command is known by its name", () => {
  expect(readOptions(["store", "--rounds", "2"])).toMatchObject({ command: "store", calls: 150, rounds: 2 });
});
