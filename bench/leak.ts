import { type FaultCounts, seenFaults } from "./content.ts";
import { type Bench, openBridge } from "./measure.ts";
import type { RunResult, Usage } from "./messages.ts";
import type { Options } from "./options.ts";
import { FIXED_YOUNG_SPACE } from "./processes.ts";
import { table } from "./report.ts";
import { whyVoid } from "./statistics.ts";

/** What is left must be within this share of what was there before. */
const TOLERANCE = 0.1;
/** The first calls fill caches and compile code: memory is compared with what it is after so many of them. */
const WARM = { share: 0.05, atLeast: 200 };
/** An account's webhooks are limited; three of them make a call. */
const CALLS_PER_SECOND = 40;
const REST_MS = 3_000;

/** What a bridge holds at rest. */
export interface Residue {
  readonly rssMb: number;
  /** Objects and buffers in use; tells memory that is held from memory that was not given back. */
  readonly heapMb: number;
  readonly sockets: number;
  readonly handles: number;
  readonly listeners: number;
}

export interface LeakReport {
  readonly calls: number;
  readonly idle: Residue;
  readonly warm: Residue;
  readonly end: Residue;
  readonly faults: FaultCounts;
  /** What did not come back; empty when all did. */
  readonly left: readonly string[];
  readonly void: string | undefined;
}

/** Holds many short calls through our bridge and looks at what stays. */
export async function measureLeak({ calls, concurrency }: Options, bench: Bench): Promise<LeakReport> {
  await using processes = new AsyncDisposableStack();
  const { generator, bridge } = await openBridge("ours", bench, processes, ["--expose-gc", ...FIXED_YOUNG_SPACE]);
  const atRest = async () => {
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    return residue(await bridge.usage(true));
  };
  const churn = (count: number): Promise<RunResult> => {
    const withinMs = (count / CALLS_PER_SECOND) * 4_000 + 120_000;
    const { port, door } = bridge;
    return generator.run(
      { type: "churn", port, door, calls: count, concurrency, perSecond: CALLS_PER_SECOND },
      withinMs,
    );
  };
  const idle = await atRest();
  const first = Math.round(Math.max(calls * WARM.share, Math.min(WARM.atLeast, calls / 2)));
  await churn(first);
  const warm = await atRest();
  bench.say(`${first} calls: ${warm.rssMb.toFixed(1)} MB, ${warm.sockets} sockets, ${warm.handles} handles`);
  const { faults, load } = await churn(calls - first);
  const end = await atRest();
  return { calls, idle, warm, end, faults, left: whatIsLeft({ idle, warm, end }), void: whyVoid(load) };
}

/** Which of the things that a bridge holds are more than they were. Memory is compared with the warm process. */
export function whatIsLeft({ idle, warm, end }: Pick<LeakReport, "idle" | "warm" | "end">): string[] {
  const compared = [
    ["rssMb", warm.rssMb, end.rssMb],
    ["heapMb", warm.heapMb, end.heapMb],
    ["sockets", idle.sockets, end.sockets],
    ["handles", idle.handles, end.handles],
    ["listeners", idle.listeners, end.listeners],
  ] as const;
  return compared
    .filter(([, before, after]) => after > before * (1 + TOLERANCE))
    .map(([what, before, after]) => `${what}: ${before.toFixed(0)} before, ${after.toFixed(0)} at the end`);
}

export function leakText(report: LeakReport): string {
  const line = (when: string, { rssMb, heapMb, sockets, handles, listeners }: Residue) => [
    when,
    rssMb.toFixed(1),
    heapMb.toFixed(1),
    String(sockets),
    String(handles),
    String(listeners),
  ];
  const faults = Object.entries(seenFaults(report.faults)).map(([kind, count]) => `${kind} ${count}`);
  return [
    table([
      ["", "RSS MB", "heap MB", "sockets", "handles", "listeners"],
      line("idle", report.idle),
      line("warm", report.warm),
      line(`after ${report.calls} calls`, report.end),
    ]),
    "",
    `Faults of content: ${faults.join(", ") || "none"}`,
    report.left.length === 0 ? "Everything is back within 10 %." : `NOT BACK: ${report.left.join("; ")}`,
    ...(report.void === undefined ? [] : [`This run does not count: ${report.void}.`]),
  ].join("\n");
}

// --- Internal helpers ---

function residue({ rssBytes, heapBytes, handles, listeners }: Usage): Residue {
  const isSocket = (name: string) => /^(?:TCP|TLS)SocketWrap|^(?:TCP|TLS)Wrap/.test(name);
  const count = (wanted: (name: string) => boolean) =>
    Object.entries(handles).reduce((sum, [name, many]) => (wanted(name) ? sum + many : sum), 0);
  return {
    rssMb: rssBytes / 1e6,
    heapMb: heapBytes / 1e6,
    sockets: count(isSocket),
    handles: count(() => true),
    listeners,
  };
}
