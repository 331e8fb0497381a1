import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seenFaults } from "../../bench/content.ts";
import { oneRun } from "../../bench/measure.ts";
import { buildBridges, startGenerator } from "../../bench/processes.ts";

const pluginModule = fileURLToPath(new URL("../../src/index.ts", import.meta.url));
/** Long enough for a greeting, a barge-in and the beginning of the next answer. */
const PLAN = { calls: 2, warmSeconds: 0.1, windowSeconds: 6 };
let workDir = "";
let bridges = "";

beforeAll(async () => {
  workDir = await mkdtemp(join(tmpdir(), "voice-bench-"));
  bridges = await buildBridges(join(workDir, "bridges"));
});

afterAll(async () => {
  await rm(workDir, { recursive: true, force: true });
});

const bench = (tls: boolean) => ({
  startGenerator: () => startGenerator(workDir, tls),
  workDir,
  pluginModule,
  say: () => {},
});

test("our plugin, the raw relay and the least bridge carry every block of two calls and a barge-in, in usual and in odd JSON, plain and over TLS", async () => {
  const runs = await Promise.all([
    oneRun("ours", PLAN, "odd", bench(true)),
    oneRun("raw", PLAN, "usual", { ...bench(false), bridges }),
    oneRun("least", PLAN, "odd", { ...bench(false), bridges }),
  ]);
  for (const { bridge, result, cpuMs, rssIdleMb, void: notCounted } of runs) {
    const { stale, ...faults } = seenFaults(result.faults);
    expect([bridge, faults]).toEqual([bridge, {}]);
    // A process that stood still hears a second of speech at once, and may take it for noise: then it goes on.
    if (notCounted === undefined) expect([bridge, stale]).toEqual([bridge, undefined]);
    expect(result.counts).toMatchObject({ calls: 2, bargeIns: 1 });
    expect(result.counts.callerBlocks).toBeGreaterThan(400);
    expect(result.counts.agentBlocks).toBeGreaterThan(150);
    for (const kind of ["callerToModel", "firstAudio", "clear", "truncateError", "setup"] as const) {
      expect([bridge, kind, result.times[kind].length > 0]).toEqual([bridge, kind, true]);
    }
    expect(cpuMs).toBeGreaterThan(0);
    expect(rssIdleMb).toBeGreaterThan(10);
  }
});
