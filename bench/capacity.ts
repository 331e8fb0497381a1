import { type Bench, oneRun, type Run } from "./measure.ts";
import type { BridgeName } from "./messages.ts";
import type { Options } from "./options.ts";
import { table } from "./report.ts";
import { Samples } from "./statistics.ts";

/** A step holds while the 99th percentile of both directions stays below this. */
const LIMIT_MS = 20;

/** One number of calls on one bridge. */
export interface Step {
  readonly bridge: BridgeName;
  readonly calls: number;
  readonly upP99Ms: number | null;
  readonly downP99Ms: number | null;
  readonly cpuMs: number;
  readonly faults: number;
  readonly verdict: "held" | "failed" | "void";
  readonly why?: string;
}

/** Adds calls step by step to each bridge, until it fails or the generator is too busy to say. */
export async function measureCapacity(options: Options, bench: Bench): Promise<Step[]> {
  const steps: Step[] = [];
  for (const name of options.bridges) {
    for (const calls of options.steps) {
      const run = await oneRun(
        name,
        { calls, warmSeconds: options.warm, windowSeconds: options.seconds },
        "usual",
        bench,
      );
      const step = judgeStep(run, calls);
      bench.say(`${name}, ${calls} calls: ${step.verdict}${step.why ? ` (${step.why})` : ""}`);
      steps.push(step);
      if (step.verdict !== "held") break;
    }
  }
  return steps;
}

/** What a run says of its number of calls. */
export function judgeStep(run: Run, calls: number): Step {
  const p99 = (kind: "callerToModel" | "firstAudio") => {
    const samples = new Samples();
    samples.addAll(run.result.times[kind]);
    return samples.percentiles().p99;
  };
  const [upP99Ms, downP99Ms] = [p99("callerToModel"), p99("firstAudio")];
  const faults = Object.values(run.result.faults).reduce((sum, count) => sum + count, 0);
  const found = { bridge: run.bridge, calls, upP99Ms, downP99Ms, cpuMs: run.cpuMs, faults };
  if (run.void !== undefined) return { ...found, verdict: "void", why: run.void };
  if (upP99Ms === null || downP99Ms === null) return { ...found, verdict: "failed", why: "no sound came through" };
  const slow = Math.max(upP99Ms, downP99Ms) >= LIMIT_MS;
  return slow ? { ...found, verdict: "failed", why: `p99 of ${LIMIT_MS} ms or more` } : { ...found, verdict: "held" };
}

export function capacityText(steps: readonly Step[]): string {
  const number = (value: number | null) => (value === null ? "-" : value.toFixed(2));
  const rows = steps.map(({ bridge, calls, upP99Ms, downP99Ms, cpuMs, faults, verdict, why }) => [
    bridge,
    String(calls),
    number(upP99Ms),
    number(downP99Ms),
    number(cpuMs),
    String(faults),
    verdict + (why ? `: ${why}` : ""),
  ]);
  return table([["bridge", "calls", "up p99 ms", "first audio p99 ms", "CPU ms/call-s", "faults", "verdict"], ...rows]);
}

/** The last step that held, by bridge. */
export function capacityJson(steps: readonly Step[]): object {
  const held: Record<string, number> = {};
  for (const { bridge, calls, verdict } of steps) if (verdict === "held") held[bridge] = calls;
  return { held, steps };
}
