import type { Carrier } from "../carriers/carrier.ts";
import type { Engine } from "../engines/engine.ts";
import type { AdmissionPolicy } from "../hosts/host.ts";

/** One running account: who carries, who speaks, as whom, for whom, and how much. */
export interface Account extends AdmissionPolicy {
  readonly id: string;
  readonly carrier: Carrier;
  readonly engine: Engine;
  /** E.164; the first is the main one. */
  readonly numbers: readonly string[];
  readonly agentId: string;
  readonly persona: {
    readonly name: string;
    readonly instructions: string;
    readonly greeting: string;
    readonly language: string;
  };
  readonly turns: "ours" | "server";
  readonly timeZone: string;
  readonly context: { readonly budgetTokens: number; readonly dailyFiles: number; readonly writeBack: boolean };
  readonly limits: {
    readonly maxCallSeconds: number;
    readonly maxConcurrentCalls: number;
    readonly placementsPerMinute: number;
  };
}
