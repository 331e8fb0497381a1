import { expect, test } from "vitest";
import { energyVad, flawedVad, type VadSource, type VadVerdict } from "../../../src/testing/speech-model/index.ts";

const SETTINGS = {
  type: "server_vad",
  create_response: true,
  interrupt_response: true,
  silence_duration_ms: 400,
} as const;
const speech = Int16Array.from({ length: 160 }, (_, i) => (i % 20 < 10 ? 9_000 : -9_000));
const silence = new Int16Array(160);

/** Runs 20 ms frames through a detector; `loud` says which spans (in ms) are speech. */
function run(vad: VadSource, lengthMs: number, loud: readonly (readonly [number, number])[]): VadVerdict[] {
  const verdicts: VadVerdict[] = [];
  for (let atMs = 0; atMs < lengthMs; atMs += 20) {
    const talking = loud.some(([from, to]) => atMs >= from && atMs < to);
    verdicts.push(...vad.hear(talking ? speech : silence, atMs + 20, SETTINGS));
  }
  return verdicts;
}

test("by loudness: a turn begins with its first loud frame and ends after the configured silence", () => {
  expect(
    run(energyVad(), 3_000, [
      [1_000, 1_600],
      [1_800, 2_000],
    ]),
  ).toEqual([
    { type: "started", atMs: 1_000 },
    { type: "stopped", atMs: 2_400 },
  ]);
});

test("a flawed detector is late, misses a turn and hears one that is not there", () => {
  const flaws = { startLateMs: 200, missTurns: [0], falseTurns: [{ atMs: 100, forMs: 300 }] };
  expect(
    run(flawedVad(flaws), 4_000, [
      [1_000, 1_400],
      [2_500, 2_900],
    ]),
  ).toEqual([
    { type: "started", atMs: 100 },
    { type: "stopped", atMs: 400 },
    { type: "started", atMs: 2_700 },
    { type: "stopped", atMs: 3_300 },
  ]);
});
