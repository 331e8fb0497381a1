/** `npm run bench`: measures the audio path of our plugin against other bridges. `--help` says how. */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { capacityJson, capacityText, measureCapacity } from "./capacity.ts";
import { contextJson, contextText, measureContext, TEN_YEARS } from "./context.ts";
import { whyNotPinned } from "./cores.ts";
import { leakText, measureLeak } from "./leak.ts";
import { type Bench, measure, usualOptions } from "./measure.ts";
import { HELP, type Options, readOptions } from "./options.ts";
import { buildBridges, buildPlugin, startGenerator } from "./processes.ts";
import { jsonReport, textReport } from "./report.ts";
import { measureStore, storeJson, storeText } from "./store.ts";

const SOURCE = fileURLToPath(new URL("../src/index.ts", import.meta.url));
/** Above this much other work the numbers speak of the machine. */
const BUSY_LOAD = 0.5;

const say = (line: string) => void process.stderr.write(`bench: ${line}\n`);

async function main(options: Options): Promise<void> {
  const unpinned = whyNotPinned();
  say(unpinned === undefined ? "bridges on core 0, the load generator on core 1" : `nothing is pinned: ${unpinned}`);
  const [load = 0] = loadavg();
  if (load > BUSY_LOAD) say(`this machine is busy (load ${load.toFixed(1)}): times and CPU are upper bounds`);
  const workDir = await mkdtemp(join(tmpdir(), "voice-bench-"));
  // The other processes end when their parent has gone.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      rmSync(workDir, { recursive: true, force: true });
      process.exit(1);
    });
  }
  try {
    if (options.command === "store") {
      const report = await measureStore(options, { workDir, say });
      return print(options, storeText(report), storeJson(report));
    }
    if (!options.source) say("building");
    const pluginModule = options.source ? SOURCE : await buildPlugin(join(workDir, "dist"));
    if (options.command === "context") {
      const report = await measureContext(TEN_YEARS, { workDir, pluginModule, say });
      return print(options, contextText(report), contextJson(report));
    }
    const { nodeOptions, tls } = options;
    const start = () => startGenerator(workDir, tls);
    const bridges = options.source ? undefined : await buildBridges(join(workDir, "bridges"));
    const usual = nodeOptions ?? usualOptions("ours");
    say(`ours is started with ${usual.join(" ") || "no options of Node"}`);
    const bench = { startGenerator: start, workDir, pluginModule, bridges, nodeOptions, say };
    await run(options, bench, unpinned === undefined);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

async function run(options: Options, bench: Bench, pinned: boolean): Promise<void> {
  if (options.command === "capacity") {
    const steps = await measureCapacity(options, bench);
    return print(options, capacityText(steps), { ...capacityJson(steps), pinned });
  }
  if (options.command === "leak") {
    const report = await measureLeak(options, bench);
    if (report.left.length > 0) process.exitCode = 1;
    return print(options, leakText(report), { ...report, pinned });
  }
  const { rounds, calls, warm: warmSeconds, seconds: windowSeconds, bridges } = options;
  const measurement = await measure({ bridges, rounds, calls, warmSeconds, windowSeconds }, bench);
  if (measurement.countedRounds < rounds) process.exitCode = 1;
  print(options, textReport(measurement), jsonReport(measurement, pinned));
}

function print({ json }: Options, text: string, object: object): void {
  process.stdout.write(json ? `${JSON.stringify(object)}\n` : `${text}\n`);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(HELP);
  else await main(options);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
