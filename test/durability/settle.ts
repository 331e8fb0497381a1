import { setTimeout as pause } from "node:timers/promises";
import { judgeArtefacts } from "./artefacts.ts";
import type { Finding } from "./findings.ts";
import type { Holdings } from "./protocol.ts";
import { RECORDING_KEYS, type Town } from "./town.ts";
import { judge, type Kept, readKept } from "./verdict.ts";

/** What a town came to. */
export interface Outcome {
  readonly calls: number;
  readonly findings: readonly Finding[];
  /** What is wrong and how it came, for whoever reads along. */
  readonly lines: readonly string[];
}

/** When nobody rings any more, all is over within this time of the machine. */
const QUIET_WITHIN_MS = 90_000;
/** A process at rest holds as much as when it began, but for caches and compiled code. */
const LEARNT_BYTES = 24 * 1024 * 1024;
const MAX_LINE = 200;
const AT_REST_WITHIN_MS = 15_000;

/** Waits until all is over, stops the plugin and judges; `more` judges beside. */
export async function settle(
  town: Town,
  more: (kept: ReadonlyMap<string, Kept>) => readonly Finding[] = () => [],
): Promise<Outcome> {
  const findings: Finding[] = [];
  await town.process.ready;
  const { heapBytes } = await town.process.holdings();
  const isQuiet = await town.quiet(QUIET_WITHIN_MS);
  if (!isQuiet) {
    const left = await town.keeper.left();
    for (const id of left?.open ?? [])
      findings.push({ kind: "stuck", about: id, why: "It is open after all is over." });
    for (const id of left?.unfinished ?? []) findings.push({ kind: "stuck", about: id, why: "It is not done with." });
  }
  findings.push(...(await leftovers(town, heapBytes + LEARNT_BYTES)));
  await town.process.stop();
  const kept = await readKept(town);
  findings.push(...(await judge(town, kept)), ...more(kept), ...(await judgeArtefacts(town, kept, RECORDING_KEYS)));
  const lines = [...new Set(findings.map(({ about }) => about))].flatMap((about) => [
    ...findings.filter((finding) => finding.about === about).map(({ kind, why }) => `  ${kind} ${about}: ${why}`),
    ...storyOf(kept.get(about)),
    ...(town.keeper.logged.get(about) ?? []).map((line) => `    ${line}`),
  ]);
  return { calls: town.told.length, findings, lines };
}

// --- Internal helpers ---

/** A call's journal in a few lines: seconds from its beginning, and what happened. */
function storyOf(kept: Kept | undefined): string[] {
  const events = (kept?.journal ?? []).map(({ event }) => {
    const { type, atMs, ...facts } = event;
    return `${((atMs - (kept?.call.createdAtMs ?? 0)) / 1_000).toFixed(1)} ${type} ${JSON.stringify(facts)}`;
  });
  return events.map((event) => `    ${event.slice(0, MAX_LINE)}`);
}

/** What the last life holds when it has nothing to do. */
async function leftovers(town: Town, mostBytes: number): Promise<Finding[]> {
  const until = Date.now() + AT_REST_WITHIN_MS;
  let what = heldTooLong(await town.process.holdings(), mostBytes);
  while (what.length > 0 && Date.now() < until) {
    await pause(500); // connections that nobody uses are closed after a while
    what = heldTooLong(await town.process.holdings(), mostBytes);
  }
  return what.map((why) => ({ kind: "leaked", about: "process", why }));
}

function heldTooLong(held: Holdings, mostBytes: number): string[] {
  const sockets = Object.entries(held.sockets).filter(([kind, count]) => kind !== "TCPServerWrap" || count > 1);
  const timers = new Map<string, number>();
  for (const timer of held.timers) timers.set(timer, (timers.get(timer) ?? 0) + 1);
  return [
    ...(held.liveCalls > 0 ? [`${held.liveCalls} calls`] : []),
    ...sockets.map(([kind, count]) => `${count} sockets (${kind})`),
    ...[...timers].filter(([, count]) => count > 1).map(([where, count]) => `${count} timers of ${where}`),
    ...(held.heapBytes > mostBytes ? [`${held.heapBytes} bytes of heap; at most ${mostBytes} were expected`] : []),
  ];
}
