import type { SharedTime } from "./shared-clock.ts";

/** Where a process kills itself: at the n-th gated append of the first call that begins in it. */
export interface CrashPoint {
  /** Counts from 1. */
  readonly nth: number;
  /** `before`: the append is not asked for; `after`: it is durable, and whoever waits for it is not told. */
  readonly when: "before" | "after";
}

/** What the process of the plugin is started with. */
export interface ProcessOrder {
  readonly stateDir: string;
  readonly workspaceDir: string;
  /** The channel's settings. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly time: SharedTime;
  /** `fails`: the disk may be told to be full or broken. */
  readonly disk: "well" | "fails";
  readonly crash?: CrashPoint;
}

/** The host's verbs that the keeper carries out. */
export type HostVerb = "record" | "send" | "consult" | "wake" | "complete";

/** How the disk is: `full` takes no further page, `broken` fails every write (EIO). */
export type Disk = "well" | "full" | "broken";

/** What a process holds, after a collection of garbage. */
export interface Holdings {
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** What keeps the process busy and is a socket, by kind. */
  readonly sockets: Readonly<Record<string, number>>;
  /** Where the timers that run were started. */
  readonly timers: readonly string[];
  readonly liveCalls: number;
}

export type FromProcess =
  | { readonly type: "ready"; readonly port: number }
  | { readonly type: "begun"; readonly callId: string }
  | { readonly type: "ended"; readonly callId: string }
  | { readonly type: "asked"; readonly id: number; readonly verb: HostVerb; readonly payload: unknown }
  | {
      readonly type: "logged";
      readonly level: "warn" | "error";
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    }
  /** An append to a call's journal was refused. */
  | { readonly type: "refused"; readonly callId: string }
  | { readonly type: "holdings"; readonly holdings: Holdings }
  | { readonly type: "stopped" };

export type ToProcess =
  | { readonly type: "answer"; readonly id: number; readonly value?: unknown; readonly error?: string }
  | { readonly type: "disk"; readonly is: Disk }
  | { readonly type: "holdings" }
  | { readonly type: "stop" };
