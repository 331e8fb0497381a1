import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { exportFlight, flightFiles, flightsDir, readFlight } from "../calls/flight/file.ts";
import { type Divergence, type ReplayReport, replayFlight } from "../calls/flight/replay.ts";
import type { TimelineEntry } from "../calls/flight/timeline.ts";
import { CommandError } from "./client.ts";
import { stateDirOf, type Where } from "./setup.ts";
import type { Terminal } from "./terminal.ts";

export interface ReplayCommand extends Where {
  readonly json?: boolean;
  /** Where to write a record without ids of anybody's. */
  readonly export?: string;
}

/**
 * Goes through the record of a call, or a file that holds one: the same things come in, and what is decided is
 * compared. Says whether it is the same. @throws CommandError there is no such record, or it cannot be read
 */
export async function replay(what: string, options: ReplayCommand, terminal: Terminal): Promise<boolean> {
  const files = await recordsOf(what, options, terminal);
  if (options.export !== undefined) await exportTo(files, options.export, options.json, terminal);
  let same = true;
  for (const [part, file] of files.entries()) {
    const report = await read(file, async () => replayFlight(await readFlight(file)));
    same &&= report.divergence === undefined;
    if (options.json) terminal.out(JSON.stringify({ file, ...report }));
    else for (const line of reportLines(report, part, files.length)) terminal.out(line);
  }
  return same;
}

// --- Internal helpers ---

async function recordsOf(what: string, options: ReplayCommand, terminal: Terminal): Promise<readonly string[]> {
  if (what.includes("/") || what.endsWith(".flight")) return [resolve(what)];
  const dir = flightsDir(stateDirOf(options, terminal));
  const files = await flightFiles(dir, what);
  if (files.length > 0) return files;
  const remedy = "Records are kept while flight.enabled is on. Name another folder with --state-dir, or a file.";
  throw new CommandError("call_not_found", `There is no record of ${what} in ${dir}. ${remedy}`);
}

async function exportTo(files: readonly string[], to: string, json: boolean | undefined, terminal: Terminal) {
  for (const [part, file] of files.entries()) {
    const target = part === 0 ? to : to.replace(/(\.flight)?$/, `.${part + 1}.flight`);
    await read(file, async () => writeFile(target, exportFlight(await readFlight(file)), { mode: 0o600 }));
    if (!json) terminal.err(`Wrote ${target}: what came in and what was decided, without ids, sound or words.`);
  }
}

async function read<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError("invalid_request", `${file} could not be replayed: ${reason}`, { cause: error });
  }
}

function reportLines(report: ReplayReport, part: number, parts: number): string[] {
  const { timeline, inputs, commands, complete, divergence } = report;
  const heading = parts > 1 ? [`Process ${part + 1} of ${parts} that had the call:`] : [];
  const end = complete ? "" : " The record is cut off: its process was killed.";
  const summary = divergence
    ? divergenceLines(divergence)
    : [`The same was decided: ${inputs} things came in, ${commands} went out.${end}`];
  return [...heading, ...timeline.map(timelineLine), ...summary];
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(3).padStart(9)} s`;

const timelineLine = ({ atMs, who, what }: TimelineEntry): string => `${seconds(atMs)}  ${who.padEnd(8)} ${what}`;

function divergenceLines({ what, item, atMs, after, expected, got }: Divergence): string[] {
  const heading =
    what === "record" ? "The record was altered after it was made" : "Something else is decided now than on the call";
  return [
    `${heading}: at item ${item}, ${seconds(atMs).trim()} into the record.`,
    `  after     ${after}`,
    `  expected  ${expected}`,
    `  got       ${got}`,
  ];
}
