/** `npm run chaos-test -- --calls N --json`: lets everything go wrong at once, and looks at what nobody noticed. */
import { parseArgs } from "node:util";
import { runChaos } from "../test/durability/chaos.ts";
import { isClean } from "../test/durability/findings.ts";
import { MOST_BYTES_PER_CALL, measureSlope } from "../test/durability/leak.ts";

const HELP = `npm run chaos-test -- [options]

  --calls <n>   calls in all (2000); under --leak 10000
  --lines <n>   calls at a time (50)
  --seed <n>    decides everything that chance decides; printed (the time)
  --speed <n>   times real time (3)
  --leak        holds short calls instead, and measures what each leaves in memory
  --source      under --leak: runs the plugin from its sources, without a build
  --json        the last line is one JSON object
`;

const { values } = parseArgs({
  options: {
    calls: { type: "string" },
    lines: { type: "string", default: "50" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    speed: { type: "string", default: "3" },
    leak: { type: "boolean", default: false },
    source: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const say = (line: string) => void process.stderr.write(`chaos-test: ${line}\n`);
const print = (object: object) =>
  void process.stdout.write(`${values.json ? JSON.stringify(object) : JSON.stringify(object, null, 2)}\n`);
const lines = Number(values.lines);

if (values.help) {
  process.stdout.write(HELP);
} else if (values.leak) {
  const slope = await measureSlope({ calls: Number(values.calls ?? 10_000), lines, source: values.source, say });
  const isLeaking = slope.rssBytesPerCall >= MOST_BYTES_PER_CALL;
  print({ leaked: isLeaking ? 1 : 0, ...slope });
  process.exitCode = isLeaking ? 1 : 0;
} else {
  const seed = Number(values.seed);
  say(`seed ${seed}`);
  const report = await runChaos({
    calls: Number(values.calls ?? 2_000),
    speed: Number(values.speed),
    lines,
    seed,
    say,
  });
  print(report);
  process.exitCode = isClean(report) ? 0 : 1;
}
