import type { FaultCounts } from "./content.ts";
import type { Spelling } from "./generator/spelling.ts";
import type { Tally, Timed } from "./generator/tally.ts";
import type { GeneratorLoad } from "./statistics.ts";

/** The bridges that are measured. */
export const BRIDGES = ["ours", "raw", "least", "sample", "agents"] as const;
export type BridgeName = (typeof BRIDGES)[number];

/** How calls reach a bridge: as Twilio's signed webhook and what it answers, or straight as a media stream. */
export type Door = "webhook" | "socket";

/** Whose calls they are: the same for all. */
export const ACCOUNT = {
  sid: `AC${"0123456789abcdef".repeat(2)}`,
  authToken: "bench-auth-token",
  number: "+15550001234",
  publicUrl: "https://voice.example.com",
};

/** The number that rings on call `index`. */
export const callerNumber = (index: number): string => `+1555${String(2_000_000 + (index % 1_000_000))}`;

/** Where the generator plays the speech model, and Twilio's REST API. */
export interface ModelAddress {
  readonly port: number;
  /** Spoken to over TLS, as the real one is. */
  readonly tls: boolean;
}

/** What a bridge is started with. */
export interface BridgeOrder {
  readonly type: "start";
  /** Where the speech model and Twilio's REST API are. */
  readonly model: ModelAddress;
  /** Folder for what the bridge keeps. */
  readonly workDir: string;
  /** Module that exports our plugin. */
  readonly pluginModule: string;
}

/** What a bridge process uses now. */
export interface Usage {
  /** All threads, since the process began. */
  readonly cpuMicros: number;
  readonly atMs: number;
  /** How long the core that bridges are pinned to has been busy, whoever used it. */
  readonly coreBusyMs: number;
  readonly rssBytes: number;
  /** Objects and buffers that are held; after a collection of garbage only what is in use. */
  readonly heapBytes: number;
  /** What keeps the process busy, by kind. */
  readonly handles: Readonly<Record<string, number>>;
  readonly listeners: number;
}

export type ToBridge = BridgeOrder | { readonly type: "usage"; readonly collect?: boolean } | { readonly type: "stop" };
export type FromBridge =
  | { readonly type: "ready"; readonly port: number; readonly door: Door }
  | { readonly type: "usage"; readonly usage: Usage };

/** Calls that all talk at once, for a while. */
export interface LoadOrder {
  readonly type: "load";
  readonly port: number;
  readonly door: Door;
  readonly calls: number;
  readonly warmMs: number;
  readonly windowMs: number;
  readonly spelling: Spelling;
}

/** Short calls, so many at a time. */
export interface ChurnOrder {
  readonly type: "churn";
  readonly port: number;
  readonly door: Door;
  readonly calls: number;
  readonly concurrency: number;
  /** Calls that begin in a second at most. */
  readonly perSecond: number;
}

/** What a run of the generator has found. */
export interface RunResult {
  readonly load: GeneratorLoad;
  readonly faults: FaultCounts;
  readonly counts: Tally["counts"];
  /** All samples of each kind, in milliseconds. */
  readonly times: Readonly<Record<Timed, readonly number[]>>;
}

export type ToGenerator = LoadOrder | ChurnOrder | { readonly type: "stop" };
export type FromGenerator =
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "window"; readonly is: "open" | "closed" }
  | { readonly type: "result"; readonly result: RunResult }
  | { readonly type: "failed"; readonly message: string };
