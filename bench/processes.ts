import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { makeCertificate } from "./certificate.ts";
import { BRIDGE_CORE, GENERATOR_CORE, whyNotPinned } from "./cores.ts";
import type {
  BridgeName,
  BridgeOrder,
  Door,
  FromBridge,
  FromGenerator,
  ModelAddress,
  RunResult,
  ToBridge,
  ToGenerator,
  Usage,
} from "./messages.ts";

/**
 * V8 doubles its space for young objects when so much has outlived it, and gives none back: 80 MB in 1,500 short calls.
 * That is growth, but none of a call's: whoever looks for that gives the space one size.
 */
export const FIXED_YOUNG_SPACE = ["--min-semi-space-size=16", "--max-semi-space-size=16"];

const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 10_000;

interface Start {
  readonly core: number;
  /** Path of a module, or beside this one. */
  readonly script: string;
  readonly nodeOptions?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

function start({ core, script, nodeOptions = [], environment }: Start): ChildProcess {
  const node = [
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    ...nodeOptions,
    resolve(import.meta.dirname, script),
  ];
  const [command, ...args] = whyNotPinned() === undefined ? ["taskset", "-c", String(core), ...node] : node;
  // What a bridge prints is not part of the report.
  return spawn(command as string, args, {
    stdio: ["ignore", process.stderr, process.stderr, "ipc"],
    env: { ...process.env, ...environment, OPENAI_AGENTS_DISABLE_TRACING: "1", NODE_ENV: "production" },
  });
}

/** The next message of a kind. @throws Error the process ends, says that it failed, or takes too long */
async function answer<Message extends { type: string }, Type extends Message["type"]>(
  child: ChildProcess,
  type: Type,
  withinMs: number,
): Promise<Extract<Message, { type: Type }>> {
  const limit = AbortSignal.timeout(withinMs);
  return new Promise((resolve, reject) => {
    const settle = () => {
      child.off("message", onMessage);
      child.off("exit", onExit);
      limit.removeEventListener("abort", onLimit);
    };
    const onMessage = (message: unknown) => {
      const { type: got } = message as Message;
      if (got !== type && got !== "failed") return;
      settle();
      if (got === type) resolve(message as Extract<Message, { type: Type }>);
      else reject(new Error((message as unknown as { message: string }).message));
    };
    const onExit = (code: number | null) => {
      settle();
      reject(new Error(`A process of the benchmark ended with code ${code}.`));
    };
    const onLimit = () => {
      settle();
      reject(new Error(`A process of the benchmark did not say "${type}" within ${withinMs / 1000} s.`));
    };
    child.on("message", onMessage);
    child.on("exit", onExit);
    limit.addEventListener("abort", onLimit);
  });
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
  if (child.connected) child.send({ type: "stop" });
  await gone;
  clearTimeout(timer);
}

/** A bridge in a process of its own. */
export interface BridgeProcess {
  readonly name: BridgeName;
  readonly port: number;
  readonly door: Door;
  /** `collect`: after a collection of garbage. */
  usage(collect?: boolean): Promise<Usage>;
  stop(): Promise<void>;
}

/** How a bridge's process is started; `bridges` is the folder of the built ones, sources unless told. */
export interface BridgeStart extends Partial<Pick<Start, "nodeOptions" | "environment">> {
  readonly bridges?: string | undefined;
}

export async function startBridge(
  name: BridgeName,
  order: Omit<BridgeOrder, "type">,
  { bridges, nodeOptions = [], environment = {} }: BridgeStart = {},
): Promise<BridgeProcess> {
  const script = bridges === undefined ? `bridges/${name}.ts` : join(bridges, `${name}.js`);
  const child = start({ core: BRIDGE_CORE, script, nodeOptions, environment });
  const send = (message: ToBridge) => child.send(message);
  const ready = answer<FromBridge, "ready">(child, "ready", READY_WITHIN_MS);
  send({ type: "start", ...order });
  try {
    const { port, door } = await ready;
    return {
      name,
      port,
      door,
      async usage(collect = false) {
        const told = answer<FromBridge, "usage">(child, "usage", READY_WITHIN_MS);
        send({ type: "usage", collect });
        return (await told).usage;
      },
      stop: () => stopped(child),
    };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

/** The load generator in its own process. */
export interface GeneratorProcess {
  /** Where it plays the speech model and Twilio's REST API. */
  readonly model: ModelAddress;
  /** What whoever speaks to it over TLS is to have in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Runs one load; `onWindow` is told when its window opens and closes. */
  run(
    order: Exclude<ToGenerator, { type: "stop" }>,
    withinMs: number,
    onWindow?: (is: "open" | "closed") => void,
  ): Promise<RunResult>;
  stop(): Promise<void>;
}

/** `tls`: with a certificate that is made in `workDir`. */
export async function startGenerator(workDir: string, tls = false): Promise<GeneratorProcess> {
  const environment = tls ? await makeCertificate(workDir) : {};
  const child = start({ core: GENERATOR_CORE, script: "generator/process.ts", environment });
  const { port } = await answer<FromGenerator, "listening">(child, "listening", READY_WITHIN_MS);
  return {
    model: { port, tls },
    environment,
    async run(order, withinMs, onWindow) {
      const onMessage = (message: unknown) => {
        const told = message as FromGenerator;
        if (told.type === "window") onWindow?.(told.is);
      };
      child.on("message", onMessage);
      try {
        const told = answer<FromGenerator, "result">(child, "result", withinMs);
        child.send(order);
        return (await told).result;
      } finally {
        child.off("message", onMessage);
      }
    },
    stop: () => stopped(child),
  };
}

/** Builds the package into `folder`, as it is published but for its declarations. Resolves to its main module. */
export async function buildPlugin(folder: string): Promise<string> {
  await build("--no-dts", "--out-dir", folder);
  // The package has its clips beside `dist`.
  await cp(join(ROOT, "clips"), join(folder, "../clips"), { recursive: true });
  return join(folder, "index.js");
}

/** Builds the bridges into `folder`, beside which the packages are found that they measure. Resolves to the folder. */
export async function buildBridges(folder: string): Promise<string> {
  await build("--config", "bench/tsup.config.ts", "--out-dir", folder);
  await symlink(join(ROOT, "node_modules"), join(folder, "../node_modules"), "dir");
  return folder;
}

// --- Internal helpers ---

const ROOT = resolve(import.meta.dirname, "..");

async function build(...args: string[]): Promise<void> {
  const tsup = join(ROOT, "node_modules/tsup/dist/cli-default.js");
  await promisify(execFile)(process.execPath, [tsup, "--silent", ...args], { cwd: ROOT });
}
