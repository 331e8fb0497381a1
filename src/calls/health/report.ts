import { type HealthLevel, worstOf } from "../../core/health.ts";
import type { BreakerReport } from "../resilience.ts";
import type { HealthStanding } from "./monitor.ts";

/** How the channel and what its calls depend on are doing. */
export interface HealthReport {
  /** The worst of all. */
  readonly level: HealthLevel;
  /** Everything that was looked at. */
  readonly checks: readonly HealthStanding[];
  /** What stands between us and each peer: an open one has requests fail at once. */
  readonly breakers: readonly BreakerReport[];
}

export function healthReport(checks: readonly HealthStanding[], breakers: readonly BreakerReport[]): HealthReport {
  return { level: worstOf(checks.map(({ level }) => level)), checks, breakers };
}
