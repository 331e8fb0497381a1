import type { HealthCheck } from "../../../src/calls/health/monitor.ts";
import type { HealthLevel } from "../../../src/core/health.ts";

/** A check that finds what the test says. */
export interface ScriptedCheck extends HealthCheck {
  level: HealthLevel;
  /** How often it was looked. */
  looks: number;
  /** Set: the next looks wait for `release`. */
  hangs: boolean;
}

export function scriptedCheck(name: string, accountId?: string): ScriptedCheck {
  const check: ScriptedCheck = {
    name,
    ...(accountId !== undefined && { accountId }),
    slowMs: 1_000,
    remedy: "Mend it.",
    level: "well",
    looks: 0,
    hangs: false,
    async look(signal) {
      check.looks += 1;
      if (check.hangs) await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      return { level: check.level, message: `It is ${check.level}.` };
    },
  };
  return check;
}

/** Lets everything run that is ready to. */
export async function breathe(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
