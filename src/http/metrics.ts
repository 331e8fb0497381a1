import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { type CallWatch, STEPS } from "../calls/health/call-watch.ts";
import type { HealthStanding } from "../calls/health/monitor.ts";
import { LATENCY_PARTS, type LatencyPart } from "../calls/health/timings.ts";
import type { BreakerReport, BreakerState } from "../calls/resilience.ts";
import type { Call, CallState } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import type { JournalEntry } from "../core/events.ts";
import { HEALTH_LEVELS } from "../core/health.ts";

/** Where the numbers that stand at a moment come from; events bring the others. */
export interface MetricsParts {
  readonly version: string;
  readonly clock: Pick<Clock, "now">;
  /** The calls that are live here. */
  readonly live: () => Iterable<Call>;
  readonly watch: CallWatch;
  /** Whether somebody here looks after an open call. */
  readonly isOwned: (callId: string) => boolean;
  /** How many calls are being taken up after a restart. */
  readonly recovering: () => number;
  /** How many appends the store has not confirmed. */
  readonly appending: () => number;
  readonly standings: () => readonly HealthStanding[];
  readonly breakers: () => readonly BreakerReport[];
}

/** The numbers of one channel, for Prometheus. */
export interface Metrics {
  readonly contentType: string;
  /** All numbers in the text format. */
  text(): Promise<string>;
  /** Counts a journal entry that is durable, with the call as it is after it. */
  observe(entry: JournalEntry, call: Call): void;
  /** Counts one measurement. */
  time(part: LatencyPart, ms: number): void;
  /** Stops what runs for the numbers. */
  close(): void;
}

const PREFIX = "openclaw_voice_";
const STATES: readonly CallState[] = ["queued", "dialing", "ringing", "active", "held"];
const BREAKER_STATES: readonly BreakerState[] = ["closed", "half-open", "open"];
/** Seconds. Callers notice from 0.8 on; after 2 nobody is to wait in silence. */
const LATENCY_BUCKETS = [0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 2, 4, 8, 20, 60];
const SILENCE_BUCKETS = [0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 30];
const DURATION_BUCKETS = [5, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600];
/** The event loop is looked at so often; what is late beyond that is lag. */
const LOOP_RESOLUTION_MS = 20;

/**
 * Counts what becomes durable. No label holds a number, a call's id or anybody's words: labels are accounts and closed
 * lists. All of it belongs to one registry of its own, so that channels in one process never share numbers.
 */
export function createMetrics(parts: MetricsParts): Metrics {
  const { watch, clock } = parts;
  const registry = new Registry();
  const numbers = define(registry);
  const { counted, standing } = numbers;
  standing.build.set({ version: parts.version }, 1);
  for (const part of LATENCY_PARTS) counted.latency.zero({ part });
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  loop.enable();

  const time = (part: LatencyPart, ms: number) => counted.latency.observe({ part }, Math.max(0, ms) / 1_000);

  /** What stands now, as it is asked for. */
  function look(): void {
    const { calls, health, breaker, afterwards } = standing;
    for (const gauge of [calls, health, breaker]) gauge.reset();
    for (const { accountId, direction, state } of parts.live()) {
      for (const each of STATES) calls.inc({ account: accountId, direction, state: each }, each === state ? 1 : 0);
    }
    for (const { check, accountId = "", level } of parts.standings())
      health.set({ check, account: accountId }, HEALTH_LEVELS.indexOf(level));
    for (const { name, accountId = "", state } of parts.breakers())
      breaker.set({ breaker: name, account: accountId }, BREAKER_STATES.indexOf(state));
    const waiting = watch.waiting();
    for (const step of STEPS) afterwards.set({ step }, waiting[step]);
    standing.unterminated.set(watch.orphans(parts.isOwned, clock.now()).length);
    standing.recovering.set(parts.recovering());
    standing.appending.set(parts.appending());
    for (const quantile of [50, 99]) standing.loopLag.set({ quantile: quantile / 100 }, lag(loop.percentile(quantile)));
    standing.loopLag.set({ quantile: 1 }, lag(loop.max));
    loop.reset();
  }

  return {
    contentType: registry.contentType,
    text() {
      look();
      return registry.metrics();
    },
    observe(entry, call) {
      const { latency, hasEnded } = watch.observe(entry, call);
      if (latency) time(latency.part, latency.ms);
      if (hasEnded) countEnd(counted, call);
      else count(counted, entry, call);
    },
    time,
    close() {
      loop.disable();
      registry.clear();
    },
  };
}

// --- Internal helpers ---

type Counted = ReturnType<typeof define>["counted"];

/** What an entry adds to the numbers, as far as the call's state takes it in. */
function count(counted: Counted, { event }: JournalEntry, call: Call): void {
  const { accountId: account, direction } = call;
  if (event.type === "recording.stored") counted.recordedBytes.inc({ account }, event.bytes);
  if (call.state === "ended") return; // whatever comes late
  switch (event.type) {
    case "call.created":
      counted.started.inc({ account, direction });
      break;
    case "call.resumed":
      counted.resumed.inc({ account });
      break;
    case "playout.cut":
      counted.bargeIns.inc({ account });
      break;
    case "fault.noted":
      counted.faults.inc({ account });
      break;
    case "tool.finished":
      counted.tools.inc({ account, ok: String(event.ok) });
      break;
  }
}

function countEnd({ ended, duration, silence }: Counted, call: Call): void {
  const { accountId: account, direction, endReason: reason = "lost", answeredAtMs, endedAtMs } = call;
  ended.inc({ account, direction, reason });
  if (answeredAtMs === undefined || endedAtMs === undefined) return;
  duration.observe({ account, direction }, Math.max(0, endedAtMs - answeredAtMs) / 1_000);
  silence.observe({ account }, (call.longestSilenceMs ?? 0) / 1_000);
}

function define(registry: Registry) {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name: PREFIX + name, help, labelNames, registers });
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Gauge({ name: PREFIX + name, help, labelNames, registers });
  const histogram = <Label extends string>(name: string, help: string, buckets: number[], ...labelNames: Label[]) =>
    new Histogram({ name: PREFIX + name, help, buckets, labelNames, registers });
  return {
    counted: {
      started: counter("calls_started_total", "Calls that began, since the process did.", "account", "direction"),
      ended: counter("calls_ended_total", "Calls that ended, by reason.", "account", "direction", "reason"),
      resumed: counter("calls_resumed_total", "Calls that were taken up again.", "account"),
      bargeIns: counter("barge_ins_total", "Times that a caller interrupted the agent.", "account"),
      faults: counter("faults_total", "What went wrong on calls without ending them.", "account"),
      tools: counter("tool_calls_total", "Tools that have run, by whether they succeeded.", "account", "ok"),
      recordedBytes: counter("recording_stored_bytes_total", "Bytes of recordings that were stored.", "account"),
      duration: histogram(
        "call_duration_seconds",
        "From the answer to the end of a call.",
        DURATION_BUCKETS,
        "account",
        "direction",
      ),
      silence: histogram(
        "call_longest_silence_seconds",
        "The longest that a caller waited in silence, by call.",
        SILENCE_BUCKETS,
        "account",
      ),
      latency: histogram("latency_seconds", "How long the parts of a call take.", LATENCY_BUCKETS, "part"),
    },
    standing: {
      build: gauge("build_info", "The version of the channel.", "version"),
      calls: gauge("calls", "Calls that are live, by state.", "account", "direction", "state"),
      unterminated: gauge(
        "calls_unterminated",
        "Calls that are open and that nobody looks after: there is to be none.",
      ),
      recovering: gauge("calls_recovering", "Calls of an earlier process that are being taken up or closed."),
      appending: gauge("store_queue_depth", "Appends that the store has not confirmed."),
      afterwards: gauge("afterwards_waiting", "Calls that are over and wait for this step.", "step"),
      health: gauge("health", "How it is doing: 0 well, 1 degraded, 2 down.", "check", "account"),
      breaker: gauge("breaker_state", "0 closed, 1 half-open, 2 open.", "breaker", "account"),
      loopLag: gauge("event_loop_lag_seconds", "How late the event loop was since it was last asked.", "quantile"),
    },
  };
}

const lag = (nanoseconds: number): number =>
  Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e9 - LOOP_RESOLUTION_MS / 1_000) : 0;
