import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CallEvent } from "../src/core/events.ts";
import { sqliteStore } from "../src/stores/index.ts";
import { created } from "../src/testing/store-events.ts";
import type { Bench } from "./measure.ts";
import { table } from "./report.ts";
import { median, type Percentiles, Samples } from "./statistics.ts";

/** How much is written, and for how long. */
export interface StorePlan {
  readonly calls: number;
  /** Each durability is measured so many times, in turn. */
  readonly rounds: number;
  /** Length of one measurement. */
  readonly seconds: number;
}

const DURABILITIES = ["full", "normal"] as const;
type Durability = (typeof DURABILITIES)[number];

/** What one durability costs. */
export interface StoreCost {
  /** From handing events in until they are durable, in milliseconds. */
  readonly commit: Percentiles;
  /** CPU of the whole process, the store's thread included, beyond what the same load costs without a store. */
  readonly cpuMsPerCallSecond: number | null;
  readonly commits: number;
}

export interface StoreReport extends StorePlan {
  readonly costs: Readonly<Record<Durability, StoreCost>>;
}

/** All calls write at the same moments, multiples of this, as their journals do. */
const TICK_MS = 40;
/** One call has something to write so often: a turn of both sides every few seconds. */
const TICKS_BETWEEN_WRITES = 15;

/** Measures what it costs to store calls so that they outlive a loss of power, and so that they only outlive us. */
export async function measureStore(
  plan: StorePlan,
  { workDir, say }: Pick<Bench, "workDir" | "say">,
): Promise<StoreReport> {
  const commits = { full: new Samples(), normal: new Samples() };
  const cpu: Record<Durability, number[]> = { full: [], normal: [] };
  for (let round = 0; round < plan.rounds; round++) {
    const idle = await underLoad(plan, async () => {});
    const order = round % 2 === 0 ? DURABILITIES : DURABILITIES.toReversed();
    for (const durability of order) {
      const store = sqliteStore({ path: join(workDir, `${durability}-${round}.sqlite`), durability });
      await store.start();
      const used = await underLoad(plan, async (callId, events) => {
        const began = performance.now();
        await store.append(callId, events);
        commits[durability].add(performance.now() - began);
      });
      await store.stop();
      cpu[durability].push((used - idle) / (plan.calls * plan.seconds));
    }
    say(`round ${round + 1} of ${plan.rounds}`);
  }
  const cost = (durability: Durability): StoreCost => ({
    commit: commits[durability].percentiles(),
    cpuMsPerCallSecond: median(cpu[durability]),
    commits: commits[durability].count,
  });
  return { ...plan, costs: { full: cost("full"), normal: cost("normal") } };
}

/** What `--json` prints. */
export function storeJson({ costs, calls, rounds, seconds }: StoreReport) {
  const flat = ({ commit, cpuMsPerCallSecond, commits }: StoreCost) => ({
    p50Ms: commit.p50,
    p99Ms: commit.p99,
    cpuMsPerCallSecond,
    commits,
  });
  return { full: flat(costs.full), normal: flat(costs.normal), calls, rounds, seconds };
}

export function storeText({ costs, calls }: StoreReport): string {
  const shown = (value: number | null, digits: number): string => (value === null ? "-" : value.toFixed(digits));
  const line = (durability: Durability): string[] => {
    const { commit, cpuMsPerCallSecond } = costs[durability];
    const times = [commit.p50, commit.p90, commit.p99].map((ms) => shown(ms, 2));
    return [durability, ...times, shown(cpuMsPerCallSecond, 3)];
  };
  return [
    `${calls} calls at once, each writing every ${(TICK_MS * TICKS_BETWEEN_WRITES) / 1_000} s.`,
    table([["", "p50 ms", "p90 ms", "p99 ms", "CPU ms per call and second"], line("full"), line("normal")]),
    "",
    "full: durable when the power goes. normal: durable when the process goes.",
  ].join("\n");
}

// --- Internal helpers ---

/** Has calls write for a while. Resolves with the CPU that took, in milliseconds. */
async function underLoad(
  { calls, seconds }: StorePlan,
  write: (callId: string, events: readonly CallEvent[]) => Promise<void>,
): Promise<number> {
  const ids = Array.from({ length: calls }, (_, index) => `call_${index}`);
  await Promise.all(ids.map((callId) => write(callId, [created(callId)])));
  const before = process.cpuUsage();
  const pending: Promise<void>[] = [];
  const began = performance.now();
  const ticks = Math.round((seconds * 1_000) / TICK_MS);
  for (let tick = 0; tick < ticks; tick++) {
    await sleep(Math.max(0, began + tick * TICK_MS - performance.now()));
    for (const [index, callId] of ids.entries()) {
      const due = tick + index;
      if (due % TICKS_BETWEEN_WRITES === 0) pending.push(write(callId, turnOf(Math.floor(due / TICKS_BETWEEN_WRITES))));
    }
  }
  await Promise.all(pending);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** What a call writes at one moment, in turn: sounds, words, answers. */
function turnOf(n: number): CallEvent[] {
  const speaker = n % 2 === 0 ? "caller" : "agent";
  const text = "Yes, Tuesday at ten would suit us very well, thank you.";
  switch (n % 4) {
    case 0:
      return [
        { type: "speech.started", atMs: n, speaker },
        { type: "speech.stopped", atMs: n, speaker },
      ];
    case 1:
      return [{ type: "response.started", atMs: n, responseId: `resp_${n}`, cause: "turn" }];
    case 2:
      return [
        {
          type: "transcript.added",
          atMs: n,
          entry: { id: `item_${n}`, speaker, text, startMs: n, heardMs: 900, cut: false },
        },
      ];
    default:
      return [{ type: "response.ended", atMs: n, responseId: `resp_${n}`, status: "completed" }];
  }
}
