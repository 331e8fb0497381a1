import { setTimeout as pause } from "node:timers/promises";
import { type Random, random } from "../situations/random.ts";
import { type Finding, report } from "./findings.ts";
import { PLOTS } from "./person.ts";
import type { CrashPoint } from "./protocol.ts";
import { type Outcome, settle } from "./settle.ts";
import { openStage, openTown, type Stage, type Town } from "./town.ts";

export interface KillOptions {
  /** How often the process is killed at a random instant. */
  readonly instants: number;
  /** Calls at a time. */
  readonly lines: number;
  readonly seed: number;
  /** Times real time. */
  readonly speed: number;
  /** Of which calls the process is also killed before and after each gated append, from the first to the last. */
  readonly crashPoints: "none" | "outbound" | "both";
  /** Of those points every such one is tried; 1 is all of them. */
  readonly stride?: number;
  readonly say: (line: string) => void;
}

/** Kills in one town; then its calls end, it is judged, and another takes its place. */
const KILLS_A_TOWN = 20;
const QUIET_WITHIN_MS = 90_000;
/** Crash points are tried in so many towns side by side: each waits more than it works. */
const TOWNS_AT_ONCE = 3;
/** One in so many lives is killed before it takes calls. */
const STARTING = 6;

/** Kills the plugin again and again under calls, and looks at what was lost. */
export async function runKills(options: KillOptions) {
  const { instants, seed, say } = options;
  const startedAtMs = Date.now();
  const stage = await openStage();
  const findings: Finding[] = [];
  let calls = 0;
  let kills = 0;
  try {
    for (let town = 0; kills < instants; town++) {
      const count = Math.min(KILLS_A_TOWN, instants - kills);
      const outcome = await killTown(stage, options, random(seed + town), count);
      kills += count;
      calls += outcome.calls;
      findings.push(...outcome.findings);
      say(`${kills} of ${instants} kills, ${calls} calls, ${findings.length} findings`);
      for (const line of outcome.lines) say(line);
    }
    const points = await runCrashPoints(stage, options);
    findings.push(...points.findings);
    return report(findings, { instants: kills, points: points.points, calls: calls + points.calls, seed, startedAtMs });
  } finally {
    await stage.close();
  }
}

// --- Internal helpers ---

async function killTown(stage: Stage, { lines, speed }: KillOptions, chance: Random, kills: number): Promise<Outcome> {
  const town = await openTown(stage, { speed });
  try {
    await town.opened(town.begin());
    const enough = new AbortController();
    const everybody = Array.from({ length: lines }, (_, line) =>
      live(town, random(chance.whole(0, 1e9)), line, enough),
    );
    for (let kill = 0; kill < kills; kill++) await killOnce(town, chance);
    enough.abort();
    await Promise.all(everybody);
    return await settle(town);
  } finally {
    await town.close();
    await town.remove();
  }
}

/** One line of the town: a call after another until it is enough. */
async function live(town: Town, chance: Random, line: number, { signal }: AbortController): Promise<void> {
  await pause(chance.between(0, 1_500));
  for (let call = 0; !signal.aborted; call++) {
    const plot = chance.pick(PLOTS);
    if (chance.chance(6)) await town.ring(plot, chance);
    else await town.place(plot, chance, `${line}-${call}`);
    await pause(chance.between(0, 300)); // a network that is down refuses at once
  }
}

/** Kills the life that is there, while it starts or later, and begins the next. */
async function killOnce(town: Town, chance: Random): Promise<void> {
  const life = town.process;
  if (chance.whole(1, STARTING) === 1) {
    await pause(chance.between(0, 900));
  } else {
    await life.ready;
    await pause(chance.between(50, 2_500));
  }
  await town.kill();
  const next = town.begin();
  town.opened(next).catch(() => undefined); // it is killed before it opens
}

/** Points in the order in which they are tried, for as long as a call has them. */
class CrashPoints {
  readonly #stride: number;
  #next = 0;
  #count = 0;
  #isBeyond = false;

  constructor(stride: number) {
    this.#stride = stride;
  }

  get count(): number {
    return this.#count;
  }

  next(): CrashPoint | undefined {
    if (this.#isBeyond) return undefined;
    const at = this.#next;
    this.#next += this.#stride;
    return { nth: Math.floor(at / 2) + 1, when: at % 2 === 0 ? "before" : "after" };
  }

  /** Whether the process died there; if not, the call has no such point, nor a later one. */
  tried(hasDied: boolean): void {
    if (hasDied) this.#count += 1;
    else this.#isBeyond = true;
  }
}

/**
 * One call, over and over: each time the process dies at the next gated append of it, before or after, and the next
 * process goes on. Each life is the victim of one point and the heir of the one before.
 */
async function runCrashPoints(
  stage: Stage,
  options: KillOptions,
): Promise<Omit<Outcome, "lines"> & { points: number }> {
  const outcomes: Outcome[] = [];
  let points = 0;
  for (const direction of DIRECTIONS[options.crashPoints]) {
    const crashes = new CrashPoints(options.stride ?? 1);
    const towns = Array.from({ length: TOWNS_AT_ONCE }, () => crashTown(stage, options, direction, crashes));
    outcomes.push(...(await Promise.all(towns)));
    points += crashes.count;
    options.say(`${points} crash points`);
  }
  const findings = outcomes.flatMap((outcome) => outcome.findings);
  for (const line of outcomes.flatMap(({ lines }) => lines)) options.say(line);
  return { points, findings, calls: outcomes.reduce((sum, { calls }) => sum + calls, 0) };
}

async function crashTown(
  stage: Stage,
  { speed, seed }: KillOptions,
  direction: "inbound" | "outbound",
  crashes: CrashPoints,
): Promise<Outcome> {
  const town = await openTown(stage, { speed });
  const chance = random(seed);
  try {
    for (let point = crashes.next(); point; point = crashes.next())
      crashes.tried(await crashOnce(town, direction, chance, point));
    if (town.hasDied) await town.opened(town.begin());
    return await settle(town);
  } finally {
    await town.close();
    await town.remove();
  }
}

/** Resolves with whether the process died: the call has that point. */
async function crashOnce(
  town: Town,
  direction: "inbound" | "outbound",
  chance: Random,
  point: CrashPoint,
): Promise<boolean> {
  const life = town.begin(point);
  const died = life.exited.then(() => true);
  const isOpen = await Promise.race([
    town.opened(life).then(
      () => true,
      () => false, // a call that was asked for again may begin before we are told that the process is ready
    ),
    died.then(() => false),
  ]);
  const call = async (): Promise<boolean> => {
    if (direction === "inbound") await town.ring("goodbye", chance);
    else await town.place("goodbye", chance, `${point.nth}-${point.when}`, { answerAfterMs: 300 });
    await town.quiet(QUIET_WITHIN_MS);
    return false;
  };
  const hasDied = isOpen ? await Promise.race([died, call()]) : await died;
  if (hasDied) town.killedAtMs.push(town.clock.now());
  return hasDied;
}

const DIRECTIONS = { none: [], outbound: ["outbound"], both: ["outbound", "inbound"] } as const;
