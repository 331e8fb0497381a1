import { createReadStream } from "node:fs";
import { copyFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { STEREO_BYTES } from "../../src/audio/wav-mulaw.ts";
import { flightFiles, flightsDir, readFlight } from "../../src/calls/flight/file.ts";
import { replayFlight } from "../../src/calls/flight/replay.ts";
import type { KeyRing } from "../../src/calls/recording/keys.ts";
import { openRecording } from "../../src/calls/recording/reader.ts";
import type { CallEvent } from "../../src/core/events.ts";
import { type Finding, found } from "./findings.ts";
import type { Town } from "./town.ts";
import type { Kept } from "./verdict.ts";

/** Where a town's calls have left their records and their sound. */
export type Left = Pick<Town, "stateDir" | "killedAtMs" | "speed">;

/** A killed process takes no more than this of a call's sound with it, */
const TAKEN_WITH_MS = 1_000;
/** and of what a busy machine had not brought or written yet: its time does not pass faster for us. */
const WRITTEN_WITHIN_MS = 500;
const SAMPLES_PER_MS = 8;
/** When the sound of a call is over for the process that records it. */
const OVER: ReadonlySet<CallEvent["type"]> = new Set<CallEvent["type"]>([
  "media.stopped",
  "call.released",
  "leg.ended",
  "end.requested",
  "recording.stopped",
  "recording.started",
  "call.ended",
]);

/** Goes through every record again and plays every recording of a town's calls; says what is wrong with them. */
export async function judgeArtefacts(
  town: Left,
  kept: ReadonlyMap<string, Kept>,
  keys: KeyRing | undefined,
  copiesDir = tmpdir(),
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const one of kept.values()) {
    findings.push(...(await judgeRecords(town, one, copiesDir)), ...(await judgeRecordings(town, one, keys)));
  }
  return findings;
}

// --- Internal helpers ---

/** The same decisions are made again, in each process that had the call. */
async function judgeRecords(
  { stateDir, killedAtMs }: Left,
  { call, journal }: Kept,
  copiesDir: string,
): Promise<Finding[]> {
  const files = await flightFiles(flightsDir(stateDir), call.id);
  const hasTalked = journal.some(({ event }) => event.type === "engine.opened");
  if (hasTalked && files.length === 0 && killedAtMs.length === 0) return [found("lost", call.id, "It left no record.")];
  const findings: Finding[] = [];
  for (const file of files) {
    try {
      const { divergence } = await replayFlight(await readFlight(file));
      if (!divergence) continue;
      const { what, item, after, expected, got } = divergence;
      const why = `${what} at item ${item}, after ${after}: ${expected} became ${got}`;
      const copy = join(copiesDir, `diverged-${basename(file)}`); // the town is removed, and whoever looks needs the record
      await copyFile(file, copy);
      findings.push(found("diverged", call.id, `${why}. The record is ${copy}.`));
    } catch (error) {
      // A kill may come before the first block is whole.
      if (killedAtMs.length === 0) findings.push(found("diverged", call.id, String(error)));
    }
  }
  return findings;
}

/** Each recording is where it stays and plays, up to the last second before its end or a kill. */
async function judgeRecordings(town: Left, { call, journal }: Kept, keys: KeyRing | undefined): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { id, state } of call.recordings) {
    // Why one failed stands in its event; one whose announcement was not heard to its end is not kept.
    if (state === "failed" || (state === "deleted" && isWithoutConsent(id, journal))) continue;
    const stored = journal.flatMap(({ event }) =>
      event.type === "recording.stored" && event.recordingId === id ? [event] : [],
    )[0];
    if (!stored) {
      findings.push(found("stuck", call.id, `The recording ${id} is ${state}.`));
      continue;
    }
    try {
      const { startSample, plain } = await openRecording(createReadStream(join(town.stateDir, stored.location)), keys);
      let samples = startSample;
      for await (const bytes of plain) samples += bytes.length / STEREO_BYTES;
      const playsUntilMs = (call.answeredAtMs ?? 0) + samples / SAMPLES_PER_MS;
      const lostMs = Math.round(endOf(id, journal, town.killedAtMs) - playsUntilMs);
      if (lostMs > TAKEN_WITH_MS + WRITTEN_WITHIN_MS * town.speed) {
        findings.push(found("lost", call.id, `The last ${lostMs} ms of the recording ${id} are not there.`));
      }
    } catch (error) {
      findings.push(found("lost", call.id, `The recording ${id} does not open: ${error}`));
    }
  }
  return findings;
}

/** Whether a recording was not agreed to while it ran; the next one of its call may have been. */
function isWithoutConsent(id: string, journal: Kept["journal"]): boolean {
  const events = journal.map(({ event }) => event);
  const started = events.findIndex((event) => event.type === "recording.started" && event.recordingId === id);
  const next = events.findIndex((event, at) => at > started && event.type === "recording.started");
  const during = events.slice(started, next === -1 ? events.length : next);
  return !during.some((event) => event.type === "consent.decided" && event.ok);
}

/** When a recording had to end: the sound was over, or the process was killed. */
function endOf(id: string, journal: Kept["journal"], killedAtMs: readonly number[]): number {
  const at = journal.findIndex(({ event }) => event.type === "recording.started" && event.recordingId === id);
  const startedAtMs = journal[at]?.event.atMs ?? 0;
  const over = journal.slice(at + 1).find(({ event }) => OVER.has(event.type))?.event.atMs;
  const ends = [...killedAtMs.filter((ms) => ms > startedAtMs), ...(over === undefined ? [] : [over])];
  return ends.length === 0 ? startedAtMs : Math.min(...ends);
}
