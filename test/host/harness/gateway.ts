import { spawn } from "node:child_process";
import { once } from "node:events";
import { type OpenClawHome, openclawBin } from "./openclaw.ts";
import { type Seen, seen } from "./until.ts";

/** The real gateway as a process of its own. */
export interface Gateway {
  readonly pid: number;
  /** Every line it printed, in order. */
  readonly log: Seen<string>;
  /** Whether the process still runs. */
  running(): boolean;
  /** Asks it to stop and waits until it has; after `graceMs` it is killed, and that is an error. */
  stop(graceMs?: number): Promise<void>;
  /** Kills it at once and waits until it is gone. */
  kill(): Promise<void>;
}

/** The last step of a start. It says "ready" after it only when every secret of every account could be resolved. */
const STARTED = "[heartbeat] started";

/** Starts `openclaw gateway run` and resolves when it has started. */
export async function startGateway(home: OpenClawHome, readyMs = 120_000): Promise<Gateway> {
  const child = spawn(process.execPath, [openclawBin, "gateway", "run"], {
    cwd: home.dir,
    env: home.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = seen<string>((line) => line);
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) log.add(line);
    });
  }
  const exited = once(child, "exit");
  const { pid } = child;
  if (pid === undefined) throw new Error("the gateway did not start");
  const gateway: Gateway = {
    pid,
    log,
    running: () => child.exitCode === null && child.signalCode === null,
    async stop(graceMs = 20_000) {
      if (!gateway.running()) return;
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), graceMs);
      await exited;
      clearTimeout(late);
      if (child.signalCode === "SIGKILL") throw new Error(`the gateway did not stop within ${graceMs} ms`);
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
  const died = exited.then(() => {
    throw new Error(`the gateway ended before it was ready:\n${log.all.slice(-30).join("\n")}`);
  });
  try {
    await Promise.race([log.first("a started gateway", (line) => line.includes(STARTED), readyMs), died]);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  died.catch(() => undefined); // after this, its end is the test's to judge
  return gateway;
}
