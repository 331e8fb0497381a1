import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";

/**
 * Options of Node for a process that holds calls. By itself V8 lets its space for young objects grow to 64 MB, and from
 * then on collects all of its memory, not the young objects alone, whenever that is full; on one core the threads that
 * help it keep the calls from running. `npm run bench -- capacity` measures what both are worth.
 */
export function servingOptions(cores: number = availableParallelism()): readonly string[] {
  return ["--max-semi-space-size=2", ...(cores === 1 ? ["--single-threaded-gc"] : [])];
}

/** What a process was started with. */
export type Started = Pick<NodeJS.Process, "execArgv" | "env">;

/** Those of the options that a process was not started with, nor with others of the same names. */
export function missingOptions(wanted: readonly string[], { execArgv, env }: Started): readonly string[] {
  const given = new Set([...execArgv, ...(env["NODE_OPTIONS"] ?? "").split(/\s+/)].map(nameOf));
  return wanted.filter((option) => !given.has(nameOf(option)));
}

/**
 * Has Node begin anew with these options as well, in the same process: whoever supervises it sees no other. To be
 * called before signals are listened for: one that was heard would be forgotten. Returns when there is nothing to
 * change or no way to: on Windows, with a channel to the parent, or where Node does not know one of the options.
 */
export function startOver(wanted: readonly string[]): void {
  const missing = missingOptions(wanted, process);
  if (missing.length === 0 || process.platform === "win32" || process.connected) return;
  // Node does not start with an option that it does not know, and V8's come and go.
  if (spawnSync(process.execPath, [...missing, "--version"], { stdio: "ignore" }).status !== 0) return;
  process.execve?.(process.execPath, [process.argv0, ...missing, ...process.execArgv, ...process.argv.slice(1)]);
}

// --- Internal helpers ---

/** An option's name: V8 reads it with `_` as well, and with `no-` in front. */
function nameOf(option: string): string {
  const [name = ""] = option.split("=");
  return name.replaceAll("_", "-").replace(/^--no-/, "--");
}
