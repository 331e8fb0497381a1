import type { Verdict } from "./judge.ts";

/** One line of the table. */
export interface Row {
  readonly kind: string;
  readonly calls: number;
  /** Given up although nobody interrupted, or not given up although somebody did. */
  readonly wrong: number;
  readonly stopMs: { readonly p50: number; readonly p90: number; readonly max: number };
  /** Calls in which the agent paused and went on. */
  readonly paused: number;
  readonly pausedMs: { readonly mean: number; readonly max: number };
}

export function rows(verdicts: readonly Verdict[]): Row[] {
  const kinds = [...new Set(verdicts.map(({ situation }) => situation.kind))];
  return kinds.map((kind) =>
    row(
      kind,
      verdicts.filter(({ situation }) => situation.kind === kind),
    ),
  );
}

export function row(kind: string, verdicts: readonly Verdict[]): Row {
  const stops = verdicts
    .filter(({ situation }) => situation.expect === "yield")
    .map(({ stopMs }) => stopMs ?? Number.POSITIVE_INFINITY);
  const pauses = verdicts.flatMap(({ pausesMs }) => pausesMs);
  return {
    kind,
    calls: verdicts.length,
    wrong: verdicts.filter(({ situation, gaveUp }) => gaveUp !== (situation.expect === "yield")).length,
    stopMs: { p50: quantile(stops, 0.5), p90: quantile(stops, 0.9), max: quantile(stops, 1) },
    paused: verdicts.filter(({ pausesMs }) => pausesMs.length > 0).length,
    pausedMs: {
      mean: Math.round(pauses.reduce((sum, ms) => sum + ms, 0) / Math.max(1, pauses.length)),
      max: Math.round(Math.max(0, ...pauses)),
    },
  };
}

/** The table as text. */
export function table(verdicts: readonly Verdict[]): string {
  const yields = verdicts.filter(({ situation }) => situation.expect === "yield");
  const wholes = verdicts.filter(({ situation }) => situation.expect === "whole");
  const format = (one: Row, missed: boolean) =>
    [
      one.kind.padEnd(28),
      String(one.calls).padStart(5),
      String(one.wrong).padStart(7),
      missed ? `${one.stopMs.p50} / ${one.stopMs.p90} / ${one.stopMs.max}`.padStart(17) : "".padStart(17),
      String(one.paused).padStart(7),
      `${one.pausedMs.mean} / ${one.pausedMs.max}`.padStart(14),
    ].join("");
  const head = (what: string, wrong: string) =>
    `${what.padEnd(28)}calls${wrong.padStart(7)}stop p50/p90/max${" ".repeat(1)}  paused      mean/max`;
  return [
    head("the agent must yield", "missed"),
    ...rows(yields).map((one) => format(one, true)),
    format(row("all", yields), true),
    "",
    head("the agent must say it whole", "stopped"),
    ...rows(wholes).map((one) => format(one, false)),
    format(row("all", wholes), false),
  ].join("\n");
}

/** The value below which that share of the values lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0);
}
