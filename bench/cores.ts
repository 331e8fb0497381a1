import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";

/** The core of whatever bridge is measured. */
export const BRIDGE_CORE = 0;
/** The core of the load generator. */
export const GENERATOR_CORE = 1;

/** Whether processes can be pinned here, and if not why. */
export function whyNotPinned(): string | undefined {
  if (availableParallelism() < 2) return "this machine has one core";
  if (spawnSync("taskset", ["--version"]).error) return "there is no taskset";
  return undefined;
}
