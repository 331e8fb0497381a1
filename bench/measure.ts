import { servingOptions } from "../src/cli/node-options.ts";
import { addFaults, type FaultCounts, noFaults } from "./content.ts";
import { whyNotPinned } from "./cores.ts";
import { noCounts, noSamples, TIMED, type Timed } from "./generator/tally.ts";
import type { BridgeName, LoadOrder, RunResult, Usage } from "./messages.ts";
import { type GeneratorProcess, startBridge } from "./processes.ts";
import { type Samples, type Spread, spread, whyVoid } from "./statistics.ts";

/** How much is measured. */
export interface Plan {
  readonly bridges: readonly BridgeName[];
  readonly rounds: number;
  readonly calls: number;
  readonly warmSeconds: number;
  readonly windowSeconds: number;
}

/** What every run needs. */
export interface Bench {
  /** Starts a load generator: a fresh one for each run, since one that has held thousands of calls is late more often. */
  readonly startGenerator: () => Promise<GeneratorProcess>;
  readonly workDir: string;
  readonly pluginModule: string;
  /** Folder of the built bridges; their sources unless told. */
  readonly bridges?: string | undefined;
  /** Options of Node for every bridge; unless told ours has those of `serve`, others none. */
  readonly nodeOptions?: readonly string[] | undefined;
  /** Where progress goes. */
  readonly say: (line: string) => void;
}

/** One bridge under one load. */
export interface Run {
  readonly bridge: BridgeName;
  readonly result: RunResult;
  /** Milliseconds of CPU for each second of each call. */
  readonly cpuMs: number;
  readonly rssIdleMb: number;
  readonly rssPerCallKb: number;
  /** Why it does not count. */
  readonly void: string | undefined;
}

/** What all rounds have found of one bridge. */
export interface BridgeReport {
  readonly cpuMs: Spread;
  readonly rssIdleMb: number | null;
  readonly rssPerCallKb: number | null;
  readonly times: Readonly<Record<Timed, Samples>>;
  /** Of the rounds that count, and of the round with odd JSON. */
  readonly faults: FaultCounts;
  readonly counts: RunResult["counts"];
}

export interface Measurement {
  readonly plan: Plan;
  readonly countedRounds: number;
  readonly voidRounds: readonly string[];
  readonly bridges: ReadonlyMap<BridgeName, BridgeReport>;
  /** CPU of ours against another bridge's, round by round. */
  ratio(other: BridgeName): Spread;
  readonly generator: { readonly cpu: number; readonly lagP99Ms: number };
}

/** Void rounds are repeated, up to so many times the wished number. */
const MOST_ATTEMPTS = 2;
/** Within a round a void run is tried so often: noise of a moment costs no whole round. */
const TRIES = 3;
const ODD_ROUND = { calls: 40, warmSeconds: 1, windowSeconds: 8 };
const IDLE_MS = 500;

/** Measures the bridges in turn, round after round, each in a fresh process; then their content under odd JSON. */
export async function measure(plan: Plan, bench: Bench): Promise<Measurement> {
  const { bridges, rounds } = plan;
  const counted: Run[][] = [];
  const voidRounds: string[] = [];
  for (let attempt = 1; counted.length < rounds && attempt <= rounds * MOST_ATTEMPTS; attempt++) {
    const runs: Run[] = [];
    // The order turns, so that no bridge always follows the same one.
    for (let i = 0; i < bridges.length; i++) {
      const name = bridges[(i + attempt - 1) % bridges.length] as BridgeName;
      const run = await repeatIfVoid(
        () => oneRun(name, plan, "usual", bench),
        (tried) => bench.say(`round ${attempt}, ${name}: ${describe(tried)}`),
      );
      runs.push(run);
      if (run.void !== undefined) break;
    }
    const failed = runs.find((run) => run.void !== undefined);
    if (!failed) counted.push(runs);
    else voidRounds.push(`round ${attempt} does not count (${failed.bridge}: ${failed.void})`);
  }
  const odd: Run[] = [];
  for (const name of bridges) {
    const calls = Math.min(ODD_ROUND.calls, plan.calls);
    const windowSeconds = Math.min(ODD_ROUND.windowSeconds, plan.windowSeconds);
    const run = await repeatIfVoid(
      () => oneRun(name, { ...ODD_ROUND, calls, windowSeconds }, "odd", bench),
      (tried) => bench.say(`odd JSON, ${name}: ${describe(tried)}`),
    );
    if (run.void === undefined) odd.push(run);
    else voidRounds.push(`odd JSON of ${name} does not count (${run.void})`);
  }
  return summarise(plan, counted, odd, voidRounds);
}

/** The first run that counts, or the last of those that were tried. */
export async function repeatIfVoid<Result extends { readonly void: string | undefined }>(
  run: () => Promise<Result>,
  tell: (result: Result) => void,
): Promise<Result> {
  for (let tried = 1; ; tried++) {
    const result = await run();
    tell(result);
    if (result.void === undefined || tried === TRIES) return result;
  }
}

/** One bridge in a fresh process under one load. */
export async function oneRun(
  name: BridgeName,
  { calls, warmSeconds, windowSeconds }: Pick<Plan, "calls" | "warmSeconds" | "windowSeconds">,
  spelling: LoadOrder["spelling"],
  bench: Bench,
): Promise<Run> {
  await using processes = new AsyncDisposableStack();
  const { generator, bridge } = await openBridge(name, bench, processes);
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const idle = await bridge.usage();
  const window: Promise<Usage>[] = [];
  const warmMs = warmSeconds * 1000;
  const windowMs = windowSeconds * 1000;
  const order: LoadOrder = { type: "load", port: bridge.port, door: bridge.door, calls, warmMs, windowMs, spelling };
  const result = await generator.run(order, warmMs + windowMs + 60_000, () => window.push(bridge.usage()));
  const [opened, closed] = (await Promise.all(window)) as [Usage, Usage];
  const spentMs = (closed.cpuMicros - opened.cpuMicros) / 1000;
  const lengthMs = closed.atMs - opened.atMs;
  const foreign = Math.max(0, (closed.coreBusyMs - opened.coreBusyMs - spentMs) / lengthMs);
  const load = { ...result.load, ...(whyNotPinned() === undefined && { foreign }) };
  return {
    bridge: name,
    result: { ...result, load },
    cpuMs: spentMs / (calls * (lengthMs / 1000)),
    rssIdleMb: idle.rssBytes / 1e6,
    rssPerCallKb: (closed.rssBytes - idle.rssBytes) / 1e3 / calls,
    void: whyVoid(load),
  };
}

/** Starts a bridge and a load generator for it; `processes` ends both. The last of two options of a name counts. */
export async function openBridge(
  name: BridgeName,
  { startGenerator, workDir, pluginModule, bridges, nodeOptions = usualOptions(name) }: Bench,
  processes: AsyncDisposableStack,
  moreOptions: readonly string[] = [],
) {
  const generator = processes.adopt(await startGenerator(), (started) => started.stop());
  const { model, environment } = generator;
  const options = { bridges, nodeOptions: [...nodeOptions, ...moreOptions], environment };
  const started = await startBridge(name, { model, workDir, pluginModule }, options);
  return { generator, bridge: processes.adopt(started, () => started.stop()) };
}

/** The options of Node that a bridge's process has in use: our own command starts with some. */
export function usualOptions(name: BridgeName): readonly string[] {
  return name === "ours" ? servingOptions(whyNotPinned() === undefined ? 1 : undefined) : [];
}

// --- Internal helpers ---

function describe({ cpuMs, result, void: why }: Run): string {
  const faults = Object.entries(result.faults).filter(([, count]) => count > 0);
  const { foreign = 0 } = result.load;
  const others = foreign < 0.01 ? "" : `, others ${Math.round(foreign * 100)} % of its core`;
  const generator = `generator ${Math.round(result.load.cpu * 100)} % CPU, ${result.load.lagP99Ms.toFixed(1)} ms late (p99)`;
  const wrong = faults.length === 0 ? "no fault" : faults.map(([kind, count]) => `${kind} ${count}`).join(", ");
  return `${cpuMs.toFixed(2)} ms CPU per call-second, ${wrong}; ${generator}${others}${why === undefined ? "" : "; VOID"}`;
}

function summarise(plan: Plan, counted: readonly Run[][], odd: readonly Run[], voidRounds: string[]): Measurement {
  const bridges = new Map<BridgeName, BridgeReport>();
  const runsOf = (name: BridgeName) => counted.flat().filter(({ bridge }) => bridge === name);
  for (const name of plan.bridges) {
    const runs = runsOf(name);
    const faults = noFaults();
    const counts = noCounts();
    const times = noSamples();
    for (const { result } of [...runs, ...odd.filter(({ bridge }) => bridge === name)]) {
      addFaults(faults, result.faults);
      for (const key of Object.keys(counts) as (keyof typeof counts)[]) counts[key] += result.counts[key];
    }
    for (const { result } of runs) for (const kind of TIMED) times[kind].addAll(result.times[kind]);
    const middle = (values: number[]) => spread(values).median;
    bridges.set(name, {
      cpuMs: spread(runs.map(({ cpuMs }) => cpuMs)),
      rssIdleMb: middle(runs.map(({ rssIdleMb }) => rssIdleMb)),
      rssPerCallKb: middle(runs.map(({ rssPerCallKb }) => rssPerCallKb)),
      times,
      faults,
      counts,
    });
  }
  const loads = counted.flat().map(({ result }) => result.load);
  return {
    plan,
    countedRounds: counted.length,
    voidRounds,
    bridges,
    ratio(other) {
      const ours = runsOf("ours");
      const theirs = runsOf(other);
      return spread(ours.flatMap(({ cpuMs }, round) => (theirs[round] ? [cpuMs / theirs[round].cpuMs] : [])));
    },
    generator: {
      cpu: Math.max(0, ...loads.map(({ cpu }) => cpu)),
      lagP99Ms: Math.max(0, ...loads.map(({ lagP99Ms }) => lagP99Ms)),
    },
  };
}
