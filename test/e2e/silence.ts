import { encodeMulaw, FRAME_BYTES, FRAME_MS, isAudible } from "../../src/audio/g711.ts";
import { decodeWav } from "../../src/audio/wav.ts";
import type { JournalEntry } from "../../src/core/events.ts";

/** A stretch of sound, in milliseconds since the answer. */
interface Stretch {
  readonly startMs: number;
  readonly endMs: number;
}

/** Quiet within speech; a longer one ends an utterance of the caller. */
const PAUSE_MS = 500;

/**
 * The longest silence of a call, recomputed from its recording (left the caller, right what they heard). Somebody
 * waits from the answer, from the end of each utterance of the caller, and while a tool runs, to the next frame of the
 * agent's above −45 dBFS, or until the caller speaks. A quiet after the agent's words that the caller ends is theirs.
 * Without `tools`, every gap between two stretches of the agent's counts as one in which a tool ran.
 */
export function longestSilenceMs(wav: Buffer, tools?: readonly Stretch[]): number {
  const [caller, agent] = decodeWav(wav).channels.map(audibleFrames) as [boolean[], boolean[]];
  const utterances = stretches(caller, PAUSE_MS);
  const said = stretches(agent, FRAME_MS * 2);
  const ranAt = (atMs: number) => tools?.some(({ startMs, endMs }) => atMs >= startMs && atMs < endMs);
  const callers = [0, ...utterances.map(({ endMs }) => endMs), ...(tools ?? []).map(({ startMs }) => startMs)];
  const gaps = said.map(({ endMs }) => endMs).filter((atMs) => ranAt(atMs) ?? true);
  const bridged = gaps.filter((atMs) => tools || followedByAgent(atMs, said, utterances));
  return Math.max(0, ...[...callers, ...bridged].map((sinceMs) => silenceAfter(sinceMs, agent, utterances)));
}

/** When tools ran, in milliseconds since the answer. */
export function toolRuns(journal: readonly JournalEntry[]): Stretch[] {
  const events = journal.map(({ event }) => event);
  const answeredAtMs = events.find(({ type }) => type === "leg.answered")?.atMs ?? 0;
  const ends = events.filter(({ type }) => type === "tool.finished");
  return events
    .filter(({ type }) => type === "tool.called")
    .map(({ atMs }, index) => ({
      startMs: atMs - answeredAtMs,
      endMs: (ends[index]?.atMs ?? atMs) - answeredAtMs,
    }));
}

// --- Internal helpers ---

function audibleFrames(samples: Int16Array): boolean[] {
  const bytes = encodeMulaw(samples);
  return Array.from({ length: Math.floor(bytes.length / FRAME_BYTES) }, (_, index) =>
    isAudible(bytes.subarray(index * FRAME_BYTES, (index + 1) * FRAME_BYTES)),
  );
}

function stretches(audible: readonly boolean[], pauseMs: number): Stretch[] {
  const found: { startMs: number; endMs: number }[] = [];
  audible.forEach((loud, index) => {
    if (!loud) return;
    const startMs = index * FRAME_MS;
    const last = found.at(-1);
    if (last && startMs - last.endMs < pauseMs) last.endMs = startMs + FRAME_MS;
    else found.push({ startMs, endMs: startMs + FRAME_MS });
  });
  return found;
}

/** Whether the agent, not the caller, is the next to speak. */
function followedByAgent(atMs: number, said: readonly Stretch[], utterances: readonly Stretch[]): boolean {
  const [agent, caller] = [said, utterances].map((side) => side.find(({ startMs }) => startMs >= atMs)?.startMs);
  return agent !== undefined && (caller === undefined || agent < caller);
}

/** How long somebody who waits since `sinceMs` hears nothing, unless they speak themselves. */
function silenceAfter(sinceMs: number, agent: readonly boolean[], utterances: readonly Stretch[]): number {
  const next = agent.indexOf(true, Math.floor(sinceMs / FRAME_MS));
  const untilMs = (next < 0 ? agent.length : next) * FRAME_MS;
  const taken = utterances.find(({ endMs }) => endMs > sinceMs);
  return Math.max(0, Math.min(untilMs, taken?.startMs ?? untilMs) - sinceMs);
}
