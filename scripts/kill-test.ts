/** `npm run kill-test -- --instants N --json`: kills the plugin's process under calls, and looks at what was lost. */
import { parseArgs } from "node:util";
import { isClean } from "../test/durability/findings.ts";
import { runKills } from "../test/durability/kill.ts";

const HELP = `npm run kill-test -- [options]

  --instants <n>    how often the process is killed at a random instant (200)
  --lines <n>       calls at a time (20)
  --seed <n>        decides everything that chance decides; printed (the time)
  --speed <n>       times real time (3)
  --no-points       leaves out the kills at every gated append of one whole call
  --json            the last line is one JSON object
`;

const { values } = parseArgs({
  options: {
    instants: { type: "string", default: "200" },
    lines: { type: "string", default: "20" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    speed: { type: "string", default: "3" },
    "no-points": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  process.stdout.write(HELP);
} else {
  const seed = Number(values.seed);
  const say = (line: string) => void process.stderr.write(`kill-test: ${line}\n`);
  say(`seed ${seed}`);
  const report = await runKills({
    instants: Number(values.instants),
    lines: Number(values.lines),
    speed: Number(values.speed),
    crashPoints: values["no-points"] ? "none" : "both",
    seed,
    say,
  });
  const { why, ...counts } = report;
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else process.stdout.write(`${[...why, JSON.stringify(counts, null, 2)].join("\n")}\n`);
  process.exitCode = isClean(report) ? 0 : 1;
}
