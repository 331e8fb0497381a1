import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { contextJson, contextText, measureContext } from "../../bench/context.ts";
import { readOptions } from "../../bench/options.ts";

const pluginModule = fileURLToPath(new URL("../../src/index.ts", import.meta.url));
let workDir = "";
beforeAll(async () => {
  workDir = await mkdtemp(join(tmpdir(), "voice-bench-"));
});
afterAll(() => rm(workDir, { recursive: true, force: true }));

test("a small workspace is measured cold in a process of its own and warm in one, within the token budget", async () => {
  const plan = { dailyFiles: 5, memoryBytes: 50_000, coldRuns: 1, warmRuns: 3 };
  const report = await measureContext(plan, { workDir, pluginModule, say: () => {} });
  expect(contextJson(report)).toEqual({
    coldP99Ms: expect.any(Number),
    warmP99Ms: expect.any(Number),
    tokens: expect.any(Number),
    files: 9,
    bytes: expect.any(Number),
  });
  expect(report.bytes).toBeGreaterThan(50_000);
  expect(report.tokens).toBeGreaterThan(1_000);
  expect(report.tokens).toBeLessThanOrEqual(2_000);
  expect(await readdir(workDir)).toEqual(["workspace"]);
});

test("the report says of each budget whether it is met", () => {
  const all = (ms: number) => ({ p50: ms, p90: ms, p99: ms });
  const report = { workspaceDir: "", files: 1, bytes: 1, tokens: 1, blockedMs: 1, cold: all(60), warm: all(10.1) };
  expect(contextText(report)).toMatch(/cold .*≤ 60 ms: met\n.*warm .*≤ 10 ms: NOT MET/);
});

test("the command is known by its name", () => {
  expect(readOptions(["context", "--json"])).toMatchObject({ command: "context", json: true });
});
