import { join } from "node:path";
import type { CallEvent, EndReason } from "../../src/core/events.ts";
import { holdExclusively } from "../e2e/stalled-store.ts";
import { type Random, random } from "../situations/random.ts";
import { type Finding, found, report } from "./findings.ts";
import { PLOTS } from "./person.ts";
import { type Outcome, settle } from "./settle.ts";
import { openStage, openTown, type Stage, type Town } from "./town.ts";
import type { Kept } from "./verdict.ts";
import { type Blow, DROPPED_AFTER_MS, Weather } from "./weather.ts";

export interface ChaosOptions {
  readonly calls: number;
  /** Calls at a time. */
  readonly lines: number;
  readonly seed: number;
  /** Times real time. */
  readonly speed: number;
  readonly say: (line: string) => void;
}

/** So many calls in one town; then it is judged, and another takes its place. */
const CALLS_A_TOWN = 250;
/** What happens to a leg is noticed within this time, or the leg is over. */
const NOTICED_WITHIN_MS = 20_000;
/** Ends that say that something failed. */
const FAILED: ReadonlySet<EndReason> = new Set<EndReason>(["lost", "carrier_error", "engine_error"]);
/** What explains them. */
const EXPLAINS: ReadonlySet<CallEvent["type"]> = new Set<CallEvent["type"]>([
  "fault.noted",
  "leg.ended",
  "media.stopped",
  "engine.closed",
]);

/** Lets everything go wrong at once under calls, and looks at what nobody noticed. */
export async function runChaos(options: ChaosOptions) {
  const { calls, seed, say } = options;
  const startedAtMs = Date.now();
  const stage = await openStage();
  const findings: Finding[] = [];
  let done = 0;
  const faults: Record<string, number> = {};
  try {
    for (let town = 0; done < calls; town++) {
      const count = Math.min(CALLS_A_TOWN, calls - done);
      const outcome = await chaosTown(stage, options, random(seed + town), count);
      done += outcome.calls;
      findings.push(...outcome.findings);
      for (const kind of outcome.faults) faults[kind] = (faults[kind] ?? 0) + 1;
      say(`${done} of ${calls} calls, ${findings.length} findings`);
      for (const line of outcome.lines) say(line);
    }
    return report(findings, { calls: done, faults, seed, startedAtMs });
  } finally {
    await stage.close();
  }
}

// --- Internal helpers ---

async function chaosTown(
  stage: Stage,
  { lines, speed }: ChaosOptions,
  chance: Random,
  calls: number,
): Promise<Outcome & { faults: readonly string[] }> {
  const town = await openTown(stage, { speed, disk: "fails" });
  try {
    await town.opened(town.begin());
    const weather = new Weather(town, random(chance.whole(0, 1e9)));
    const over = new AbortController();
    const path = join(town.stateDir, "calls.sqlite");
    const blowing = weather.blow(over.signal, async (forMs) => {
      const { released } = await holdExclusively(path, forMs);
      await released;
    });
    let begun = 0;
    const line = async (number: number): Promise<void> => {
      const own = random(chance.whole(0, 1e9));
      while (begun < calls) {
        begun += 1;
        if (own.chance(7)) await town.ring(own.pick(PLOTS), own);
        else await town.place(own.pick(PLOTS), own, `${number}-${begun}`);
      }
    };
    const died = town.process.exited.then(({ code, signal, stderr }) => {
      throw new Error(`The plugin's process ended by itself (${code ?? signal}). ${stderr}`);
    });
    died.catch(() => {}); // at the end it is stopped
    await Promise.race([
      Promise.all(Array.from({ length: Math.min(lines, calls) }, (_, number) => line(number))),
      died,
    ]);
    over.abort();
    await blowing;
    weather.clear();
    const outcome = await settle(town, (kept) => unnoticed(town, weather, kept));
    return { ...outcome, faults: [...weather.episodes, ...weather.blows].map(({ kind }) => kind) };
  } finally {
    await town.close();
    await town.remove();
  }
}

const silent = (about: string, why: string): Finding => found("silent", about, why);

/** Faults that have no event and no reason. */
function unnoticed(town: Town, weather: Weather, kept: ReadonlyMap<string, Kept>): Finding[] {
  const byLeg = new Map([...kept.values()].map((one) => [one.call.legId, one]));
  return [
    ...[...kept.values()].flatMap((one) => unexplained(one, town)),
    ...weather.blows.flatMap((blow) => unnoticedBlow(blow, byLeg.get(blow.legId), town)),
    ...[...kept.values()].flatMap((one) => unnoticedDrops(one, town, weather)),
    ...[...town.keeper.refused.keys()]
      .filter((callId) => !town.keeper.logged.has(callId))
      .map((callId) => silent(callId, "Its journal was refused, and nobody was told.")),
  ];
}

/** A call that failed says why. */
function unexplained({ call, journal }: Kept, { keeper }: Town): Finding[] {
  if (call.endReason === undefined || !FAILED.has(call.endReason)) return [];
  const explained = journal.some(({ event }) => EXPLAINS.has(event.type)) || keeper.logged.has(call.id);
  const legSaid = call.legId !== undefined && keeper.logged.has(call.legId);
  return explained || legSaid ? [] : [silent(call.id, `It ended as ${call.endReason}, and nothing says why.`)];
}

/** What was done to a leg's media, or to our orders about it, is noted while the leg lives. */
function unnoticedBlow({ legId, kind, atMs }: Blow, kept: Kept | undefined, town: Town): Finding[] {
  const endedAtMs = town.told.find(({ leg }) => leg?.sid === legId)?.endedAtMs ?? Number.POSITIVE_INFINITY;
  if (!kept || endedAtMs < atMs + NOTICED_WITHIN_MS) return [];
  const wanted: readonly CallEvent["type"][] =
    kind === "unanswered order" ? ["fault.noted"] : ["media.stopped", "fault.noted", "end.requested", "call.resumed"];
  const noticed = kept.journal.some(
    ({ event }) =>
      wanted.includes(event.type) && (kind === "unanswered order" || event.atMs <= atMs + NOTICED_WITHIN_MS),
  );
  return noticed ? [] : [silent(kept.call.id, `Nobody noticed: ${kind} of ${legId}.`)];
}

/** A session of the engine that broke is noted while its call lives; one that was closed before did not break. */
function unnoticedDrops({ call, journal }: Kept, { model }: Town, weather: Weather): Finding[] {
  return journal.flatMap(({ event }, at) => {
    if (event.type !== "engine.opened") return [];
    const openedAtMs = model.sessions.find(({ id }) => id === event.sessionId)?.sent[0]?.atMs;
    if (openedAtMs === undefined || !weather.wasOn("engine-drops", openedAtMs)) return [];
    const droppedAtMs = openedAtMs + DROPPED_AFTER_MS;
    const isOver = (call.endedAtMs ?? Number.POSITIVE_INFINITY) < droppedAtMs + 2_000;
    const later = journal.slice(at + 1);
    const wasClosed = later.some(({ event: { type, atMs } }) => type === "engine.closed" && atMs < droppedAtMs);
    const noted = journal.some(
      ({ event: { type, atMs } }) => (type === "engine.closed" || type === "fault.noted") && atMs >= droppedAtMs - 500,
    );
    return isOver || wasClosed || noted
      ? []
      : [silent(call.id, `The session ${event.sessionId} broke, and nobody noticed.`)];
  });
}
