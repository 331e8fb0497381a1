import { execFile } from "node:child_process";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { makeWorkspace, ownersCall, timedBuild, type WorkspaceFacts, type WorkspacePlan } from "./context-workspace.ts";
import type { Bench } from "./measure.ts";
import { table } from "./report.ts";
import { type Percentiles, Samples } from "./statistics.ts";

/** What is measured, and how often. */
export interface ContextPlan extends WorkspacePlan {
  /** Processes, each of which builds once. */
  readonly coldRuns: number;
  /** Builds one after the other in one process. */
  readonly warmRuns: number;
}

export interface ContextReport extends WorkspaceFacts {
  readonly cold: Percentiles;
  readonly warm: Percentiles;
  /** The longest time for which the warm process could do nothing else. */
  readonly blockedMs: number;
  readonly tokens: number;
}

export const TEN_YEARS: ContextPlan = { dailyFiles: 3_650, memoryBytes: 1_048_576, coldRuns: 25, warmRuns: 1_000 };
/** Milliseconds, 99th percentile. */
const BUDGETS = { cold: 60, warm: 10 };
/** A file that has just been written is read again, because a second change within a tick of its clock would not show. */
const FILES_SETTLE_MS = 2_500;

/** Measures how long it takes to put together what a call is told. */
export async function measureContext(
  plan: ContextPlan,
  { workDir, pluginModule, say }: Pick<Bench, "workDir" | "pluginModule" | "say">,
): Promise<ContextReport> {
  const facts = await makeWorkspace(join(workDir, "workspace"), plan);
  say(
    `${facts.files} files, ${(facts.bytes / 1e6).toFixed(1)} MB; ${plan.coldRuns} processes build their first context`,
  );
  const cold = new Samples();
  for (let run = 0; run < plan.coldRuns; run++) cold.add(await coldBuild(pluginModule, facts));
  await new Promise((resolve) => setTimeout(resolve, FILES_SETTLE_MS));
  say(`${plan.warmRuns} more in one process`);
  const warm = new Samples();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const { VoiceContextManager } = (await import(pathToFileURL(pluginModule).href)) as typeof import("../src/index.ts");
  const { tokens } = await timedBuild(VoiceContextManager, facts, async (manager) => {
    delay.enable();
    for (let run = 0; run < plan.warmRuns; run++) {
      const began = performance.now();
      await manager.build(ownersCall(facts.workspaceDir));
      warm.add(performance.now() - began);
    }
    delay.disable();
  });
  return { ...facts, cold: cold.percentiles(), warm: warm.percentiles(), blockedMs: delay.max / 1e6, tokens };
}

/** What `--json` prints. */
export function contextJson({ cold, warm, tokens, files, bytes }: ContextReport) {
  return { coldP99Ms: cold.p99, warmP99Ms: warm.p99, tokens, files, bytes };
}

export function contextText({ cold, warm, blockedMs, tokens, files, bytes }: ContextReport): string {
  const line = (when: string, { p50, p90, p99 }: Percentiles, budget: number) => [
    when,
    ...[p50, p90, p99].map((ms) => (ms === null ? "-" : ms.toFixed(2))),
    `p99 ≤ ${budget} ms: ${p99 === null ? "not measured" : p99 <= budget ? "met" : "NOT MET"}`,
  ];
  return [
    table([
      ["", "p50 ms", "p90 ms", "p99 ms", "budget"],
      line("cold", cold, BUDGETS.cold),
      line("warm", warm, BUDGETS.warm),
    ]),
    "",
    `${tokens} tokens out of ${files} files with ${(bytes / 1e6).toFixed(1)} MB.`,
    `Warm builds held up everything else for ${blockedMs.toFixed(1)} ms at most.`,
  ].join("\n");
}

// --- Internal helpers ---

async function coldBuild(pluginModule: string, facts: WorkspaceFacts): Promise<number> {
  const script = fileURLToPath(new URL("./context-cold.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    script,
    pluginModule,
    JSON.stringify(facts),
  ]);
  return JSON.parse(stdout) as number;
}
