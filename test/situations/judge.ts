import { SAMPLE_RATE } from "../../src/audio/g711.ts";
import type { Run } from "./line.ts";
import type { Played } from "./runner.ts";
import type { Situation } from "./situation.ts";

/** What became of one situation. */
export interface Verdict {
  readonly situation: Situation;
  /** Whether the agent gave the sentence up. */
  readonly gaveUp: boolean;
  /** From the first audible moment of the sound to silence on the agent's side; absent when it never came. */
  readonly stopMs: number | undefined;
  /** Gaps in the agent's speech that were not its own, in milliseconds. */
  readonly pausesMs: readonly number[];
  /** By how much each part missed the end of the one before: positive when something was left out. */
  readonly seamsMs: readonly number[];
  /** Whether each part of the sentence that should have been heard was heard once: whole, or up to where it was cut. */
  readonly clean: boolean;
  /** Milliseconds by which the model's belief of what was heard misses what sounded. */
  readonly beliefErrorMs: number;
  /** Whether the caller, who had interrupted, got an answer. */
  readonly answered: boolean;
  /** Whether the agent's speech and the sound met at all: otherwise the situation proves nothing. */
  readonly valid: boolean;
  /** How much later than it could the agent's speech began. */
  readonly lateMs: number;
}

/** A gap of the agent's side that is none of its speech: its clips have none that long. */
const SILENCE_MS = 320;
/**
 * Sound that may be said twice or left out at a pause without harm to a word: the carrier's confirmation of what has
 * played is as old as its way to us, and frames are whole.
 */
const SEAM_MS = 80;
const AUDIBLE = 32_768 * 10 ** (-45 / 20);

/** Reads a call from its tape. */
export function judge(situation: Situation, played: Played): Verdict {
  const agent = rightChannel(played.tape);
  const parts = partsOf(played.speech, played.runs);
  const speechMs = played.speech.length / 8;
  const endMs = parts.at(-1)?.toMs ?? 0;
  const seams = parts.slice(1).map((part, index) => part.fromMs - (parts[index] as Part).toMs);
  const whole = endMs > speechMs - SEAM_MS;
  const clean = (parts[0]?.fromMs ?? 1_000) < SEAM_MS && seams.every((ms) => Math.abs(ms) <= SEAM_MS);
  const starts = parts[0]?.atMs ?? Number.POSITIVE_INFINITY;
  const lastPart = parts.at(-1);
  const ends = lastPart ? lastPart.atMs + (lastPart.toMs - lastPart.fromMs) : 0;
  return {
    situation,
    gaveUp: played.heardMs !== undefined || !whole,
    stopMs: silentAfter(agent, situation.fromMs),
    pausesMs: parts.slice(1).map((part, index) => {
      const before = parts[index] as Part;
      return part.atMs - (before.atMs + before.toMs - before.fromMs);
    }),
    seamsMs: seams,
    clean: clean && (situation.expect === "yield" || whole),
    beliefErrorMs: played.heardMs === undefined ? 0 : Math.abs(played.heardMs - endMs),
    answered: played.asked.filter((cause) => cause === "turn").length > (situation.during === "answer" ? 1 : 0),
    valid: starts < situation.untilMs && (situation.expect === "yield" || ends > situation.fromMs),
    lateMs: starts - situation.speechFromMs,
  };
}

// --- Internal helpers ---

/** A stretch of the speech, by its place in it, and when it sounded. */
interface Part {
  readonly fromMs: number;
  readonly toMs: number;
  readonly atMs: number;
}

/** The agent's side of a 16-bit stereo WAV as `encodeWav` writes it. */
function rightChannel(wav: Buffer): Int16Array {
  const samples = new Int16Array((wav.length - 44) / 4);
  for (let i = 0; i < samples.length; i++) samples[i] = wav.readInt16LE(44 + i * 4 + 2);
  return samples;
}

/** Finds by content which parts of a speech sounded, in the order in which they did. */
function partsOf(speech: Buffer, runs: readonly Run[]): Part[] {
  const parts: Part[] = [];
  for (const run of runs) {
    const found = place(speech, run.audio, (parts.at(-1)?.toMs ?? 0) * 8);
    if (found === undefined) continue;
    const bytes = Math.min(run.audio.length, speech.length - found);
    parts.push({ fromMs: found / 8, toMs: (found + bytes) / 8, atMs: run.fromMs });
  }
  return parts;
}

/** Where a piece belongs: the place nearest to the expected one at which 30 ms of it are found. */
function place(speech: Buffer, piece: Buffer, expected: number): number | undefined {
  const probeBytes = 240;
  // Its first milliseconds may rise from silence, and silence would be found anywhere.
  for (let skip = 160; skip + probeBytes <= piece.length; skip += 160) {
    const probe = piece.subarray(skip, skip + probeBytes);
    if (new Set(probe).size < 40) continue;
    let best: number | undefined;
    for (let at = speech.indexOf(probe); at >= 0; at = speech.indexOf(probe, at + 1)) {
      const start = at - skip;
      if (best === undefined || Math.abs(start - expected) < Math.abs(best - expected)) best = start;
    }
    return best !== undefined && best > -160 ? Math.max(0, best) : undefined;
  }
  return undefined;
}

/** From `fromMs` to the first moment after which nothing is audible for a while. */
function silentAfter(channel: Int16Array, fromMs: number): number | undefined {
  const window = SAMPLE_RATE / 100;
  const windows = Math.floor(channel.length / window);
  let quietFrom = Math.floor(fromMs / 10);
  for (let w = quietFrom; w < windows; w++) {
    let sum = 0;
    for (let i = w * window; i < (w + 1) * window; i++) sum += (channel[i] as number) ** 2;
    if (Math.sqrt(sum / window) > AUDIBLE) quietFrom = w + 1;
    else if ((w - quietFrom) * 10 >= SILENCE_MS) return Math.max(0, quietFrom * 10 - fromMs);
  }
  return undefined;
}
