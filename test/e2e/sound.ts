import { decodeMulaw, encodeMulaw, FRAME_BYTES, isAudible, mulawMs } from "../../src/audio/g711.ts";
import { decodeWav } from "../../src/audio/wav.ts";
import { type Run, sameStretch, traced } from "./sound-trace.ts";

/** A sound that was made to be heard, in the order in which the sounds were to begin. */
export interface Produced {
  readonly name: string;
  /** µ-law, all that was produced of it. */
  readonly audio: Uint8Array;
  /** Whether it may be heard more than once: a cue or a phrase of our own. */
  readonly again?: boolean;
  /** How much of it the conversation holds for heard, when it was cut; absent: all. */
  readonly cutAtMs?: number;
}

export type FlawKind = "gap" | "lost" | "click" | "overlap" | "repeat" | "stale" | "foreign";

/** Something in a recording that nobody should have heard. Times count from its beginning. */
export interface Flaw {
  readonly kind: FlawKind;
  readonly atMs: number;
  /** Milliseconds of it; for a click the height of its step in sample values. */
  readonly size: number;
  readonly sound: string;
}

/** The end of sound in mid-wave, under the caller's own voice. */
export interface Cut {
  readonly atMs: number;
  /** Height of the step, in sample values, and how many times the steepest step of the sound beside it that is. */
  readonly step: number;
  readonly ratio: number;
}

export interface Verdict {
  readonly flaws: readonly Flaw[];
  /** What was heard of which sound, in order. */
  readonly runs: readonly Run[];
  /** Steps that would be clicks if the caller's voice did not cover them. */
  readonly covered: readonly Cut[];
}

const MS = 8;
const FRAME = FRAME_BYTES;
/** How long a pause may follow a sound of the caller's that explains it, and how soon it must. */
const EXPLAINED_BEFORE = 400 * MS;
const EXPLAINED_AFTER = 2_000 * MS;
/** What goes on after a pause may lack the frame that was playing, and rises from nothing for 5 ms. */
const RISE = 5 * MS;
const MAY_LACK = FRAME + RISE;
/** The least repetition that is noticed as one: a syllable. */
const REPEATED = 200 * MS;
/** By how much what was heard may exceed what the conversation holds for heard: two frames, of clock and of carrier. */
const STALE = 40 * MS;
/** A caller's sound of this length is talk, into which the agent speaks for at most `STOPS_WITHIN`. */
const TALK = 600 * MS;
const STOPS_WITHIN = 300 * MS;
/** Steps up to this height are below −45 dBFS, as everything that counts for silence. */
const STEP_FLOOR = 260;
/** A talker's voice at their own ear is about 20 dB above the telephone's: they do not hear a step below it. */
const OWN_VOICE = 10;
/** The least increase in level, 3 dB, by which one click is heard out of others. */
const NOTICED = Math.SQRT2;

/**
 * Judges a recording of a call (left the caller, right what they heard) against the sounds that were made for it.
 * µ-law passes through untouched, so that everything heard is found byte by byte in what was produced:
 *
 * - `gap`: within a sound 20 ms or more of nothing that it has not itself, unless a sound of the caller's explains it
 * - `lost`: a part of a sound that was skipped, but for the frame that played when it was paused; or its end
 * - `click`: where two sounds, or sound and silence, meet: a step between two samples that is 3 dB higher than any that
 *   the sound itself makes in the 20 ms around it. Up to that height the step is one of the sound's own kind; above it
 *   there is energy at high frequencies for one moment that the speech beside it has not, which is what is heard as a
 *   click. Steps inside a sound are the speaker's. One that the caller's own voice covers is told as `covered`.
 * - `overlap`: the agent speaks into the caller's talk for more than 300 ms after it began
 * - `repeat`: 200 ms or more of a sound are heard twice
 * - `stale`: a sound goes on after a later one began, or further than the conversation holds for heard
 * - `foreign`: something that nobody made, such as two sounds at once, for more than the 5 ms of a rise
 */
export function judged(wav: Buffer, produced: readonly Produced[]): Verdict {
  const [caller, agent] = decodeWav(wav).channels as [Int16Array, Int16Array];
  const heard = encodeMulaw(agent);
  const runs = traced(
    heard,
    produced.map(({ audio }) => encodeMulaw(decodeMulaw(audio))),
  );
  const nameOf = ({ sound }: Run) => (produced[sound] as Produced).name;
  const callers = stretches(caller, 200 * MS);
  const flaws: Flaw[] = [];
  const add = (kind: FlawKind, at: number, samples: number, sound: string) =>
    flaws.push({ kind, atMs: mulawMs(at), size: mulawMs(samples), sound });

  runs.forEach((run, index) => {
    const sound = produced[run.sound] as Produced;
    const mine = sound.again ? [] : runs.slice(0, index).filter((other) => other.sound === run.sound);
    const before = mine.at(-1);
    if (!sound.again && runs.slice(0, index).some((other) => isLater(other, run, produced))) {
      add("stale", run.from, run.to - run.from, sound.name);
      return;
    }
    const heldFor = sound.cutAtMs === undefined ? sound.audio.length : sound.cutAtMs * MS + STALE;
    if (endOf(run) > heldFor) add("stale", run.from, endOf(run) - heldFor, sound.name);
    for (const other of mine) {
      const twice = sameStretch(run, other);
      if (twice >= REPEATED) add("repeat", run.from, twice, sound.name);
    }
    const skipped = run.at - (before ? endOf(before) : 0);
    if (skipped > (before ? MAY_LACK : 0) && !sound.again) add("lost", run.from, skipped, sound.name);
    if (!before) return;
    const inserted = run.from - before.to - skipped;
    if (inserted >= FRAME && !explained(before.to, run.from, callers)) add("gap", before.to, inserted, sound.name);
  });
  produced.forEach((sound, index) => {
    const last = runs.findLast((run) => run.sound === index);
    if (sound.again || sound.cutAtMs !== undefined) return;
    const missing = sound.audio.length - (last ? endOf(last) : 0);
    if (missing > 0) add("lost", last?.to ?? heard.length, missing, sound.name);
  });
  for (const { from, to } of foreign(heard, runs)) add("foreign", from, to - from, "");
  for (const { from, to } of callers) {
    if (to - from < TALK) continue;
    const over = audibleAfter(heard, from + STOPS_WITHIN, to);
    if (over > 0) add("overlap", from, STOPS_WITHIN + over, "");
  }
  const steps = clicks(agent, runs);
  for (const { at, step } of steps) {
    if (isCovered(caller, at, step)) continue;
    const near = runs.find((run) => at >= run.from - FRAME && at <= run.to + FRAME);
    flaws.push({ kind: "click", atMs: mulawMs(at), size: step, sound: near ? nameOf(near) : "" });
  }
  const covered = steps
    .filter(({ at, step }) => isCovered(caller, at, step))
    .map(({ at, step, ratio }) => ({ atMs: mulawMs(at), step, ratio }));
  return { flaws, runs, covered };
}

// --- Internal helpers ---

interface Stretch {
  readonly from: number;
  readonly to: number;
}

const endOf = ({ at, from, to }: Run): number => at + to - from;

/** Whether a sound that was to begin after this one has been heard: once it begins, this one is over. */
const isLater = (other: Run, run: Run, produced: readonly Produced[]): boolean =>
  other.sound > run.sound && !produced[other.sound]?.again;

/** Where a channel is above −45 dBFS, frame by frame; shorter pauses belong to it. */
function stretches(samples: Int16Array, pause: number): Stretch[] {
  const bytes = encodeMulaw(samples);
  const found: { from: number; to: number }[] = [];
  for (let from = 0; from + FRAME <= bytes.length; from += FRAME) {
    if (!isAudible(bytes.subarray(from, from + FRAME))) continue;
    const last = found.at(-1);
    if (last && from - last.to < pause) last.to = from + FRAME;
    else found.push({ from, to: from + FRAME });
  }
  return found;
}

/** Whether the caller made a sound just before the pause, and it did not outlast that sound for long. */
function explained(from: number, to: number, callers: readonly Stretch[]): boolean {
  const why = callers.filter((stretch) => stretch.from < from && stretch.to > from - EXPLAINED_BEFORE);
  const until = callers.findLast((stretch) => stretch.from < to)?.to ?? 0;
  return why.length > 0 && to - until < EXPLAINED_AFTER;
}

/** Audible stretches that are of no produced sound, longer than a rise. */
function foreign(heard: Uint8Array, runs: readonly Run[]): Stretch[] {
  const ends = [0, ...runs.map(({ to }) => to)];
  const starts = [...runs.map(({ from }) => from), heard.length];
  return ends.flatMap((end, index) => {
    let [from, to] = [end, starts[index] as number];
    while (from < to && !isAudible(heard.subarray(from, from + 1))) from++;
    while (to > from && !isAudible(heard.subarray(to - 1, to))) to--;
    return to - from > RISE ? [{ from, to }] : [];
  });
}

function audibleAfter(heard: Uint8Array, from: number, to: number): number {
  let last = from;
  for (let at = from; at + FRAME <= to; at += FRAME) {
    if (isAudible(heard.subarray(at, at + FRAME))) last = at + FRAME;
  }
  return last - from;
}

/** Steps where sounds meet that stand out of the sound beside them. */
function clicks(samples: Int16Array, runs: readonly Run[]): { at: number; step: number; ratio: number }[] {
  const step = (at: number) => Math.abs((samples[at] as number) - (samples[at - 1] as number));
  const own = new Uint8Array(samples.length);
  for (const { from, to } of runs) own.fill(1, from + 1, to);
  const found: { at: number; step: number; ratio: number }[] = [];
  for (let at = 1; at < samples.length; at++) {
    if (own[at] === 1 || step(at) <= STEP_FLOOR) continue;
    let steepest = 0;
    for (let near = Math.max(1, at - FRAME); near < Math.min(samples.length, at + FRAME); near++) {
      if (own[near] === 1) steepest = Math.max(steepest, step(near));
    }
    if (step(at) > NOTICED * steepest)
      found.push({ at, step: step(at), ratio: step(at) / Math.max(steepest, STEP_FLOOR) });
  }
  return found;
}

/** Whether the caller's own voice covers a step: simultaneously, or by what lingers of it in the ear for 100 ms. */
function isCovered(caller: Int16Array, at: number, step: number): boolean {
  const near = caller.subarray(Math.max(0, at - 100 * MS), at + 20 * MS);
  return near.some((sample) => Math.abs(sample) * OWN_VOICE >= step);
}
