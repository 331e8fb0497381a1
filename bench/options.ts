import { parseArgs } from "node:util";
import { BRIDGES, type BridgeName } from "./messages.ts";

/** What is to be done, and how much of it. */
export interface Options {
  readonly command: "measure" | "capacity" | "leak" | "context" | "store";
  readonly bridges: readonly BridgeName[];
  readonly rounds: number;
  /** Calls at once; under `leak` calls in all. */
  readonly calls: number;
  /** Length of the measured window. */
  readonly seconds: number;
  readonly warm: number;
  /** Calls at once under `leak`. */
  readonly concurrency: number;
  /** Numbers of calls under `capacity`. */
  readonly steps: readonly number[];
  readonly json: boolean;
  /** Speaks to the model over TLS, as to the real one; budgets are for plain sockets. */
  readonly tls: boolean;
  /** For the process of every bridge; unless told ours has those with which `openclaw-voice serve` runs, others none. */
  readonly nodeOptions?: readonly string[];
  /** Runs our plugin from its sources instead of a build. */
  readonly source: boolean;
  readonly help: boolean;
}

export const HELP = `npm run bench -- [measure | capacity | leak | context | store] [options]

  measure    our bridge, a raw relay, the usual sample and @openai/agents-extensions, in turn (default)
  capacity   more and more calls, until either direction's p99 is 20 ms or the generator is too busy
  leak       many short calls through our bridge; what is left of them
  context    what a call is told, out of ten years of daily files and a megabyte of memory
  store      what a commit costs that outlives a loss of power, and one that outlives the process alone

  --rounds <n>       measure: rounds that must count (5); store: rounds of each
  --calls <n>        calls at once (150); leak: calls in all (10000)
  --seconds <n>      length of the measured window (8)
  --warm <n>         seconds before it (6)
  --bridges <list>   of ours, raw, least, sample, agents (all but least; capacity: ours,raw,agents)
                     least: the raw relay with the duties of ours, each done in the least way
  --steps <list>     capacity: numbers of calls (50,100,150,200,250,300,350,400,450,500,600,700,800)
  --concurrency <n>  leak: calls at once (50)
  --tls              speak to the model over TLS, as to the real one; the budgets are for plain sockets
  --node <options>   start every bridge with these options of Node, or none: --node=; unless told ours is started with
                     those that openclaw-voice serve gives itself, the others with none
  --source           run our plugin from its sources, without a build
  --json             the last line is one JSON object
`;

const DEFAULTS = {
  measure: { calls: 150, bridges: ["ours", "raw", "sample", "agents"] as BridgeName[] },
  capacity: { calls: 0, bridges: ["ours", "raw", "agents"] as BridgeName[] },
  leak: { calls: 10_000, bridges: ["ours"] as BridgeName[] },
  context: { calls: 0, bridges: [] as BridgeName[] },
  store: { calls: 150, bridges: [] as BridgeName[] },
};
const STEPS = [50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 600, 700, 800];

/** Reads a command line. @throws Error it cannot be read; the message says why */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "5" },
      calls: { type: "string" },
      seconds: { type: "string", default: "8" },
      warm: { type: "string", default: "6" },
      bridges: { type: "string" },
      steps: { type: "string" },
      concurrency: { type: "string", default: "50" },
      tls: { type: "boolean", default: false },
      node: { type: "string" },
      source: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const [command = "measure", ...others] = positionals;
  if (!isCommand(command) || others.length > 0) throw new Error(`There is no command "${positionals.join(" ")}".`);
  const given = DEFAULTS[command];
  return {
    command,
    bridges: values.bridges === undefined ? given.bridges : values.bridges.split(",").map(requireBridge),
    rounds: positive("rounds", values.rounds),
    calls: values.calls === undefined ? given.calls : positive("calls", values.calls),
    seconds: positive("seconds", values.seconds),
    warm: positive("warm", values.warm),
    concurrency: positive("concurrency", values.concurrency),
    steps: values.steps === undefined ? STEPS : values.steps.split(",").map((step) => positive("steps", step)),
    json: values.json,
    tls: values.tls,
    ...(values.node !== undefined && { nodeOptions: values.node.split(" ").filter((option) => option !== "") }),
    source: values.source,
    help: values.help,
  };
}

// --- Internal helpers ---

const isCommand = (name: string): name is Options["command"] => Object.hasOwn(DEFAULTS, name);

function requireBridge(name: string): BridgeName {
  if ((BRIDGES as readonly string[]).includes(name)) return name as BridgeName;
  throw new Error(`There is no bridge "${name}". There are ${BRIDGES.join(", ")}.`);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`--${name} must be a number above 0.`);
}
