import { type FaultCounts, seenFaults } from "./content.ts";
import type { Timed } from "./generator/tally.ts";
import type { BridgeReport, Measurement } from "./measure.ts";
import type { BridgeName } from "./messages.ts";
import type { Percentiles, Spread } from "./statistics.ts";

/** What `--json` prints in one line: our bridge's numbers, then everybody's. Every `…Ms` of ours is a distribution. */
export interface JsonReport {
  readonly ratioToRaw: number | null;
  readonly ratioToAgents: number | null;
  /** Least and greatest of the rounds. */
  readonly spread: Readonly<Record<"ratioToRaw" | "ratioToAgents", { min: number | null; max: number | null }>>;
  readonly callerToModelMs: Percentiles;
  readonly firstAudioMs: Percentiles;
  readonly clearMs: Percentiles;
  readonly truncateMs: Percentiles;
  readonly truncateErrorMs: Percentiles;
  readonly stopMs: Percentiles;
  readonly queuedAtBargeInMs: Percentiles;
  readonly setupMs: Percentiles;
  readonly rssIdleMb: number | null;
  readonly rssPerCallKb: number | null;
  readonly faults: Partial<FaultCounts>;
  readonly rounds: { readonly counted: number; readonly void: readonly string[] };
  readonly calls: number;
  readonly pinned: boolean;
  readonly generator: Measurement["generator"];
  readonly budgets: readonly Verdict[];
  readonly bridges: Readonly<Record<string, object>>;
}

/** A budget of the audio path, and what was measured against it. */
export interface Verdict {
  readonly budget: string;
  readonly measured: string;
  /** `null`: it was not measured. */
  readonly met: boolean | null;
}

interface Budget {
  readonly name: string;
  readonly limit: number;
  readonly unit: string;
  readonly of: (report: BridgeReport, measurement: Measurement) => number | null;
}

const timed = (kind: Timed, point: keyof Percentiles) => (report: BridgeReport) =>
  report.times[kind].percentiles()[point];
const sum = (faults: FaultCounts) => Object.values(faults).reduce((total, count) => total + count, 0);

const BUDGETS: readonly Budget[] = [
  { name: "CPU against the raw relay", limit: 1.3, unit: "x", of: (_, all) => all.ratio("raw").median },
  { name: "CPU against agents-extensions", limit: 0.5, unit: "x", of: (_, all) => all.ratio("agents").median },
  { name: "caller to model, p50", limit: 0.1, unit: "ms", of: timed("callerToModel", "p50") },
  { name: "caller to model, p99", limit: 5, unit: "ms", of: timed("callerToModel", "p99") },
  { name: "first audio, p50", limit: 0.15, unit: "ms", of: timed("firstAudio", "p50") },
  { name: "first audio, p99", limit: 5, unit: "ms", of: timed("firstAudio", "p99") },
  { name: "clear, p50", limit: 0.2, unit: "ms", of: timed("clear", "p50") },
  { name: "clear, p99", limit: 5, unit: "ms", of: timed("clear", "p99") },
  { name: "truncate, p50", limit: 0.2, unit: "ms", of: timed("truncate", "p50") },
  { name: "truncate, p99", limit: 5, unit: "ms", of: timed("truncate", "p99") },
  { name: "error of audio_end_ms, p90", limit: 20, unit: "ms", of: timed("truncateError", "p90") },
  { name: "queued at the phone at a barge-in, p99", limit: 350, unit: "ms", of: timed("queuedAtBargeIn", "p99") },
  { name: "setup, p50", limit: 1, unit: "ms", of: timed("setup", "p50") },
  { name: "setup, p99", limit: 15, unit: "ms", of: timed("setup", "p99") },
  { name: "memory idle", limit: 130, unit: "MB", of: ({ rssIdleMb }) => rssIdleMb },
  { name: "memory per call", limit: 450, unit: "kB", of: ({ rssPerCallKb }) => rssPerCallKb },
  { name: "faults of content", limit: 0, unit: "", of: ({ faults }) => sum(faults) },
];

/** Our bridge against the budgets. */
export function judge(measurement: Measurement): Verdict[] {
  const ours = measurement.bridges.get("ours");
  return BUDGETS.map(({ name, limit, unit, of }) => {
    const value = ours && measurement.countedRounds > 0 ? of(ours, measurement) : null;
    const show = (number: number) => `${short(number)}${unit === "" ? "" : ` ${unit}`}`;
    return {
      budget: `${name} ≤ ${show(limit)}`,
      measured: value === null ? "-" : show(value),
      met: value === null ? null : value <= limit,
    };
  });
}

export function jsonReport(measurement: Measurement, pinned: boolean): JsonReport {
  const ours = measurement.bridges.get("ours");
  const [toRaw, toAgents] = [measurement.ratio("raw"), measurement.ratio("agents")];
  const ends = ({ min, max }: Spread) => ({ min, max });
  const points = (kind: Timed): Percentiles => ours?.times[kind].percentiles() ?? { p50: null, p90: null, p99: null };
  return {
    ratioToRaw: toRaw.median,
    ratioToAgents: toAgents.median,
    spread: { ratioToRaw: ends(toRaw), ratioToAgents: ends(toAgents) },
    callerToModelMs: points("callerToModel"),
    firstAudioMs: points("firstAudio"),
    clearMs: points("clear"),
    truncateMs: points("truncate"),
    truncateErrorMs: points("truncateError"),
    stopMs: points("stop"),
    queuedAtBargeInMs: points("queuedAtBargeIn"),
    setupMs: points("setup"),
    rssIdleMb: ours?.rssIdleMb ?? null,
    rssPerCallKb: ours?.rssPerCallKb ?? null,
    faults: ours ? seenFaults(ours.faults) : {},
    rounds: { counted: measurement.countedRounds, void: measurement.voidRounds },
    calls: measurement.plan.calls,
    pinned,
    generator: measurement.generator,
    budgets: judge(measurement),
    bridges: Object.fromEntries([...measurement.bridges].map(([name, report]) => [name, plain(report)])),
  };
}

/** The readable report. */
export function textReport(measurement: Measurement): string {
  const { plan, countedRounds, voidRounds, generator } = measurement;
  const head = [
    ["bridge", "CPU ms/call-s", "to raw", "up p50/p99", "first audio p50/p99", "clear p50/p99", "truncate p50/p99"],
    ["error p50/p90", "queued p50/p99", "setup p50/p99", "idle MB", "kB/call", "gaps"],
  ].flat();
  const rows = [...measurement.bridges].map(([name, report]) => row(name, report, measurement));
  const faults = [...measurement.bridges].map(([name, report]) => {
    const seen = Object.entries(seenFaults(report.faults)).map(([kind, count]) => `${kind} ${count}`);
    return `  ${name}: ${seen.join(", ") || "none"} (${describeCounts(report.counts)})`;
  });
  const verdicts = judge(measurement).map(({ budget, measured, met }) => [
    met === null ? "?" : met ? "met" : "NOT MET",
    budget,
    measured,
  ]);
  const load = `${Math.round(generator.cpu * 100)} % CPU, ${generator.lagP99Ms.toFixed(1)} ms late (p99)`;
  return [
    `${countedRounds} of ${plan.rounds} rounds of ${plan.calls} calls, ${plan.warmSeconds} s warm and ${plan.windowSeconds} s measured; generator at most ${load}`,
    ...voidRounds,
    "",
    table([head, ...rows]),
    "",
    "Faults of content, with a round of odd JSON:",
    ...faults,
    "",
    "Our bridge against the budgets:",
    table(verdicts),
  ].join("\n");
}

/** Columns in line. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd())
    .join("\n");
}

// --- Internal helpers ---

function row(name: BridgeName, report: BridgeReport, measurement: Measurement): string[] {
  const pair = (kind: Timed, low: keyof Percentiles, high: keyof Percentiles) => {
    const points = report.times[kind].percentiles();
    return `${short(points[low])}/${short(points[high])}`;
  };
  const raw = measurement.bridges.get("raw")?.cpuMs.median ?? null;
  const ratio =
    name === "ours" ? measurement.ratio("raw").median : raw && report.cpuMs.median && report.cpuMs.median / raw;
  const { min, median, max } = report.cpuMs;
  return [
    name,
    `${short(median)} (${short(min)}-${short(max)})`,
    short(ratio),
    pair("callerToModel", "p50", "p99"),
    pair("firstAudio", "p50", "p99"),
    pair("clear", "p50", "p99"),
    pair("truncate", "p50", "p99"),
    pair("truncateError", "p50", "p90"),
    pair("queuedAtBargeIn", "p50", "p99"),
    pair("setup", "p50", "p99"),
    short(report.rssIdleMb),
    short(report.rssPerCallKb),
    String(report.times.gap.count),
  ];
}

function plain(report: BridgeReport): object {
  const times = Object.entries(report.times).map(([kind, samples]) => [
    kind === "gap" ? "gaps" : `${kind}Ms`,
    kind === "gap" ? samples.count : samples.percentiles(),
  ]);
  const { cpuMs, rssIdleMb, rssPerCallKb, faults, counts } = report;
  return {
    cpuMsPerCallSecond: cpuMs,
    ...Object.fromEntries(times),
    rssIdleMb,
    rssPerCallKb,
    faults: seenFaults(faults),
    counts,
  };
}

const describeCounts = (counts: BridgeReport["counts"]): string =>
  [
    `${counts.callerBlocks + counts.agentBlocks} blocks`,
    `${counts.clipBlocks} of clips`,
    `${counts.responses} answers heard`,
    `${counts.bargeIns} barge-ins`,
    `${counts.toolCalls} tool calls`,
  ].join(", ");

/** Three digits that matter. */
function short(value: number | null | undefined): string {
  if (value === null || value === undefined) return "-";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
