import type { Carrier } from "../carriers/carrier.ts";
import type { Trust } from "../core/events.ts";
import type { Engine, McpServer } from "../engines/engine.ts";
import type { AdmissionPolicy, ChannelAddress } from "../hosts/host.ts";
import type { Clips } from "./clips.ts";
import type { RecordingSettings } from "./recording/settings.ts";
import type { VoiceTool } from "./tools.ts";

/** One running account: who carries, who speaks, as whom, for whom, and how much. */
export interface Account extends AdmissionPolicy {
  readonly id: string;
  readonly carrier: Carrier;
  readonly engine: Engine;
  /** Who speaks when the engine refuses for good or cannot be had, best first. */
  readonly fallbackEngines: readonly Engine[];
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
  readonly bargeIn: { readonly minSpeechMs: number };
  /** What is played when the model cannot speak; absent where nothing was rendered. */
  readonly clips?: Clips;
  readonly timeZone: string;
  /** How its calls are recorded; absent where they never are. */
  readonly recording?: RecordingSettings;
  /** Who gets cards, codes and questions. */
  readonly owner?: ChannelAddress;
  readonly brain: "engine" | "agent";
  readonly sessionScope: "host" | "per-caller" | "per-call" | "main";
  /** Functions of the account's own, each a web request. */
  readonly tools: readonly VoiceTool[];
  /** Servers of tools that the engine calls by itself, and who must call for each to be offered. */
  readonly mcpServers: readonly { readonly server: McpServer; readonly trust: Trust }[];
  readonly consult: { readonly timeoutSeconds: number };
  readonly afterCall: { readonly card: boolean; readonly notifyLinked: boolean; readonly wake: boolean };
  readonly context: {
    readonly budgetTokens: number;
    readonly dailyFiles: number;
    readonly linkedTurns: number;
    readonly writeBack: boolean;
  };
  readonly limits: {
    readonly maxCallSeconds: number;
    readonly maxConcurrentCalls: number;
    readonly placementsPerMinute: number;
    readonly idlePromptSeconds: number;
    readonly idleEndSeconds: number;
  };
}
