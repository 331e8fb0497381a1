import type { TurnDetection } from "./session-config.ts";

/** What a detector says about the caller; times are milliseconds of audio since the session began. */
export type VadVerdict =
  | { readonly type: "started"; readonly atMs: number }
  | { readonly type: "stopped"; readonly atMs: number };

/** Decides from the caller's audio when speech begins and ends. */
export interface VadSource {
  /** Takes the next 20 ms (8 kHz, 16 bit), which end at `endMs`; says what became known with them. */
  hear(frame: Int16Array, endMs: number, settings: TurnDetection): readonly VadVerdict[];
}

const FRAME_MS = 20;
/** Speech must last this long before it counts: a click is no turn. */
const ONSET_MS = 60;

/** A detector by loudness. `threshold` 0.5 is -38 dBFS; a start is dated back to its first loud frame. */
export function energyVad(): VadSource {
  let speaking = false;
  let loudMs = 0;
  let quietMs = 0;
  return {
    hear(frame, endMs, settings) {
      const loud = level(frame) > -50 + 24 * (settings.threshold ?? 0.5);
      loudMs = loud ? loudMs + FRAME_MS : 0;
      quietMs = loud ? 0 : quietMs + FRAME_MS;
      if (!speaking && loudMs >= ONSET_MS) {
        speaking = true;
        return [{ type: "started", atMs: endMs - loudMs }];
      }
      if (speaking && quietMs >= hangMs(settings)) {
        speaking = false;
        return [{ type: "stopped", atMs: endMs }];
      }
      return [];
    },
  };
}

/**
 * A detector that says what a script dictates, whatever the audio holds: each verdict when that much audio has
 * arrived. `[]` never hears anything.
 */
export function dictatedVad(verdicts: readonly VadVerdict[]): VadSource {
  const waiting = [...verdicts].sort((a, b) => a.atMs - b.atMs);
  return {
    hear(_frame, endMs) {
      const count = waiting.findIndex((verdict) => verdict.atMs > endMs);
      return waiting.splice(0, count === -1 ? waiting.length : count);
    },
  };
}

/** How a bad detector differs from a good one. */
export interface VadFlaws {
  /** Milliseconds by which starts come late. */
  readonly startLateMs?: number;
  /** Milliseconds by which ends come late (a start that is later than its end is lost with it). */
  readonly stopLateMs?: number;
  /** Turns that it misses, counted from 0. */
  readonly missTurns?: readonly number[];
  /** Moments at which it hears speech of `forMs` that is not there. */
  readonly falseTurns?: readonly { readonly atMs: number; readonly forMs: number }[];
}

/** A detector that follows `truth` with flaws. To be early, dictate. */
export function flawedVad(flaws: VadFlaws, truth: VadSource = energyVad()): VadSource {
  const due: { verdict: VadVerdict; atMs: number }[] = (flaws.falseTurns ?? []).flatMap(({ atMs, forMs }) => [
    { verdict: { type: "started", atMs }, atMs },
    { verdict: { type: "stopped", atMs: atMs + forMs }, atMs: atMs + forMs },
  ]);
  let turn = -1;
  return {
    hear(frame, endMs, settings) {
      for (const verdict of truth.hear(frame, endMs, settings)) {
        if (verdict.type === "started") turn += 1;
        if (flaws.missTurns?.includes(turn)) continue;
        const lateMs = (verdict.type === "started" ? flaws.startLateMs : flaws.stopLateMs) ?? 0;
        due.push({
          verdict: lateMs === 0 ? verdict : { ...verdict, atMs: verdict.atMs + lateMs },
          atMs: endMs + lateMs,
        });
      }
      const ready = due.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      for (const entry of ready) due.splice(due.indexOf(entry), 1);
      return ready.map(({ verdict }) => verdict);
    },
  };
}

// --- Internal helpers ---

/** How long silence lasts before it ends a turn. Semantic detection is stood in for by three waits. */
function hangMs(settings: TurnDetection): number {
  if (settings.type === "server_vad") return settings.silence_duration_ms ?? 500;
  return { low: 1_500, medium: 800, auto: 800, high: 400 }[settings.eagerness ?? "auto"];
}

/** Loudness in dBFS. */
function level(frame: Int16Array): number {
  let sum = 0;
  for (const sample of frame) sum += sample * sample;
  return 10 * Math.log10(Math.max(1e-12, sum / Math.max(1, frame.length)) / 32_768 ** 2);
}
