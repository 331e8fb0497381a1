import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPlugin, FIXED_YOUNG_SPACE, startBridge, startGenerator } from "../../bench/processes.ts";

export interface LeakOptions {
  readonly calls: number;
  /** Calls at a time. */
  readonly lines: number;
  /** Runs the plugin from its sources instead of a build. */
  readonly source: boolean;
  readonly say: (line: string) => void;
}

export interface LeakSlope {
  readonly calls: number;
  /** Bytes that the process grows by with each call, by the line that fits its measurements best. */
  readonly rssBytesPerCall: number;
  readonly heapBytesPerCall: number;
  readonly points: readonly { readonly calls: number; readonly rssBytes: number; readonly heapBytes: number }[];
}

/** What a call may leave. */
export const MOST_BYTES_PER_CALL = 1_024;
/** The first calls fill caches and compile code: the line begins after this share of them. */
const WARM_SHARE = 0.2;
const STEPS = 10;
const CALLS_PER_SECOND = 40;
const REST_MS = 2_000;
const SOURCE = fileURLToPath(new URL("../../src/index.ts", import.meta.url));

/** Holds many short calls in one process, without simulators beside it, and fits a line through what it holds. */
export async function measureSlope({ calls, lines, source, say }: LeakOptions): Promise<LeakSlope> {
  const workDir = await mkdtemp(join(tmpdir(), "voice-leak-"));
  const opened: { stop(): Promise<void> }[] = [];
  try {
    const pluginModule = source ? SOURCE : await buildPlugin(join(workDir, "dist"));
    const generator = await startGenerator(workDir);
    opened.unshift(generator);
    const order = { model: generator.model, workDir, pluginModule };
    const bridge = await startBridge("ours", order, {
      nodeOptions: ["--expose-gc", ...FIXED_YOUNG_SPACE],
    });
    opened.unshift(bridge);
    const { port, door } = bridge;
    const points: { calls: number; rssBytes: number; heapBytes: number }[] = [];
    const hold = async (count: number): Promise<void> => {
      const withinMs = (count / CALLS_PER_SECOND) * 4_000 + 120_000;
      const churn = {
        type: "churn",
        port,
        door,
        calls: count,
        concurrency: lines,
        perSecond: CALLS_PER_SECOND,
      } as const;
      await generator.run(churn, withinMs);
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
    };
    await hold(Math.round(calls * WARM_SHARE));
    for (let step = 0; step <= STEPS; step++) {
      if (step > 0) await hold(Math.round((calls * (1 - WARM_SHARE)) / STEPS));
      const { rssBytes, heapBytes } = await bridge.usage(true);
      const held = Math.round(calls * (WARM_SHARE + ((1 - WARM_SHARE) * step) / STEPS));
      points.push({ calls: held, rssBytes, heapBytes });
      say(`${held} calls: RSS ${(rssBytes / 1e6).toFixed(1)} MB, heap ${(heapBytes / 1e6).toFixed(1)} MB`);
    }
    return {
      calls,
      points,
      rssBytesPerCall: Math.round(slope(points.map((point) => [point.calls, point.rssBytes]))),
      heapBytesPerCall: Math.round(slope(points.map((point) => [point.calls, point.heapBytes]))),
    };
  } finally {
    for (const one of opened) await one.stop();
    await rm(workDir, { recursive: true, force: true });
  }
}

/** The slope of the line that fits points best, by least squares. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean((point) => point[0]), mean((point) => point[1])];
  const spread = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  return points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / spread;
}
