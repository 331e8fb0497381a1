import type { Clock, Timer } from "../../core/clock.ts";
import { believe, type HealthLevel, type Hysteresis, judge, type Standing } from "../../core/health.ts";
import type { Logger } from "../../hosts/host.ts";
import { untilAborted } from "../until-aborted.ts";

/** What one look found. */
export interface Reading {
  readonly level: HealthLevel;
  readonly message: string;
  /** What to do, where the look knows better than the check. */
  readonly remedy?: string;
}

/** Something that calls depend on, and how it is looked at. */
export interface HealthCheck {
  /** Stable word, such as `carrier`. */
  readonly name: string;
  /** The account that it is of; absent for what all share. */
  readonly accountId?: string;
  /** An answer that takes longer is no good one. */
  readonly slowMs: number;
  /** What to do when it is not well. */
  readonly remedy: string;
  /** Looks once. What it throws is taken for `down`. */
  look(signal: AbortSignal): Promise<Reading>;
}

/** How something is doing, for people. */
export interface HealthStanding {
  readonly check: string;
  readonly accountId?: string;
  readonly level: HealthLevel;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  /** What the look found that this level goes back to. */
  readonly message: string;
  /** What to do, when it is not well. */
  readonly remedy?: string;
  /** The last look. */
  readonly lookedAtMs: number;
  readonly tookMs: number;
}

export interface MonitorParts {
  /** What is to be looked at now: accounts come and go. */
  readonly checks: () => readonly HealthCheck[];
  readonly rules: Hysteresis & {
    readonly periodMs: number;
    readonly againMs: number;
    readonly timeoutMs: number;
  };
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of everything that was looked at, about once a second. It does not reject. */
  readonly onStandings: (standings: readonly HealthStanding[]) => Promise<void>;
}

/** How often it is looked what is due. */
const TICK_MS = 1_000;
/** A process that starts has other things to do, and its first calls come. */
const FIRST_AFTER_MS = 10_000;
/** Looks begin one by one; of many things a few at a time, so that each has its turn within so many ticks. */
const TURNS = 20;

/** The key of a check: names and accounts have no colon. */
export const checkKey = ({ check, accountId }: Pick<HealthStanding, "check" | "accountId">): string =>
  accountId === undefined ? check : `${check}:${accountId}`;

interface Watched {
  standing: Standing;
  startedAtMs: number;
  isRunning: boolean;
  shown: HealthStanding | undefined;
}

/** Looks at everything that calls depend on, again and again, and believes what it sees often enough. */
export class HealthMonitor {
  readonly #parts: MonitorParts;
  readonly #watched = new Map<string, Watched>();
  readonly #running = new Set<Promise<void>>();
  #stopped = new AbortController();
  #timer: Timer | undefined;
  #telling: Promise<void> | undefined;

  constructor(parts: MonitorParts) {
    this.#parts = parts;
  }

  /** Begins to look. `before`: what was believed when an earlier process ended, by key. */
  start(before: ReadonlyMap<string, HealthLevel> = new Map()): void {
    if (this.#timer) return;
    const { clock } = this.#parts;
    this.#stopped = new AbortController();
    for (const [key, level] of before) this.#watch(key, level);
    this.#timer = clock.after(FIRST_AFTER_MS, () => {
      this.#timer = clock.every(TICK_MS, () => this.#tick());
      this.#tick();
    });
  }

  /** Looks no more. Resolves when nothing of ours runs. */
  async stop(): Promise<void> {
    this.#timer?.stop();
    this.#timer = undefined;
    this.#stopped.abort(new Error("The voice channel stops."));
    await Promise.all(this.#running);
    await this.#telling;
  }

  /** Everything that was looked at, as it stands. */
  standings(): readonly HealthStanding[] {
    return [...this.#watched.values()].flatMap(({ shown }) => shown ?? []);
  }

  #tick(): void {
    const checks = new Map(this.#parts.checks().map((check) => [keyOf(check), check]));
    for (const [key, { shown }] of this.#watched) if (shown && !checks.has(key)) this.#watched.delete(key);
    const due: [HealthCheck, Watched][] = [];
    for (const [key, check] of checks) {
      const watched = this.#watched.get(key) ?? this.#watch(key, "well");
      if (!watched.isRunning && this.#isDue(watched)) due.push([check, watched]);
    }
    due.sort(([, a], [, b]) => a.startedAtMs - b.startedAtMs); // whoever has waited longest
    for (const [check, watched] of due.slice(0, Math.ceil(checks.size / TURNS))) this.#begin(check, watched);
    this.#telling ??= this.#parts.onStandings(this.standings()).finally(() => {
      this.#telling = undefined;
    });
  }

  #watch(key: string, level: HealthLevel): Watched {
    const standing = believe(level, this.#parts.clock.now());
    const watched = { standing, startedAtMs: Number.NEGATIVE_INFINITY, isRunning: false, shown: undefined };
    this.#watched.set(key, watched);
    return watched;
  }

  #isDue({ standing, startedAtMs }: Watched): boolean {
    const { rules, clock } = this.#parts;
    const isSettled = standing.level === "well" && standing.doubts === 0;
    return clock.now() - startedAtMs >= (isSettled ? rules.periodMs : rules.againMs);
  }

  #begin(check: HealthCheck, watched: Watched): void {
    watched.isRunning = true;
    watched.startedAtMs = this.#parts.clock.now();
    const look = this.#look(check, watched).finally(() => {
      watched.isRunning = false;
      this.#running.delete(look);
    });
    this.#running.add(look);
  }

  async #look(check: HealthCheck, watched: Watched): Promise<void> {
    const { clock, rules, logger } = this.#parts;
    const over = new AbortController();
    const timer = clock.after(rules.timeoutMs, () =>
      over.abort(new Error(`no answer within ${rules.timeoutMs / 1_000} s`)),
    );
    const signal = AbortSignal.any([over.signal, this.#stopped.signal]);
    const fromMs = clock.now();
    const found = await untilAborted(check.look(signal), signal).catch(
      (error: unknown): Reading => ({
        level: "down",
        message: error instanceof Error ? error.message : String(error),
      }),
    );
    timer.stop();
    if (this.#stopped.signal.aborted) return;
    const atMs = clock.now();
    const reading = paced(found, atMs - fromMs, check.slowMs);
    const before = watched.standing;
    watched.standing = judge(before, { level: reading.level, atMs }, rules);
    const { level, sinceMs } = watched.standing;
    if (level !== before.level) {
      const fields = { check: check.name, ...(check.accountId !== undefined && { accountId: check.accountId }) };
      logger[level === "well" ? "info" : "warn"](`Health: ${level}.`, { ...fields, message: reading.message });
    }
    // What is shown goes with the level: one look that differs is not believed yet.
    const isBelieved = reading.level === level || level !== before.level;
    const { message, remedy = check.remedy } = isBelieved || !watched.shown ? reading : watched.shown;
    watched.shown = {
      check: check.name,
      ...(check.accountId !== undefined && { accountId: check.accountId }),
      level,
      sinceMs: Math.round(sinceMs),
      message,
      ...(level !== "well" && { remedy }),
      lookedAtMs: Math.round(atMs),
      tookMs: Math.round(atMs - fromMs),
    };
  }
}

// --- Internal helpers ---

const keyOf = ({ name, accountId }: HealthCheck): string =>
  checkKey({ check: name, ...(accountId !== undefined && { accountId }) });

function paced(reading: Reading, tookMs: number, slowMs: number): Reading {
  if (reading.level !== "well" || tookMs <= slowMs) return reading;
  return { level: "degraded", message: `It takes ${(tookMs / 1_000).toFixed(1)} s to answer.` };
}
