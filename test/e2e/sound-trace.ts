import { MULAW_SILENCE } from "../../src/audio/g711.ts";

/** A stretch of what was heard that is, byte by byte, a stretch of a sound; all in samples. */
export interface Run {
  /** Index of the sound. */
  readonly sound: number;
  /** From here up to there of what was heard. */
  readonly from: number;
  readonly to: number;
  /** Where it begins in the sound. */
  readonly at: number;
}

/** Shorter agreement may be chance. */
const LEAST = 160;
/** Bytes that are looked up at once, of so many different values at least: quiet is everywhere the same. */
const KEY_BYTES = 10;
const LIVELY = 5;
/** Every so many bytes of a sound are looked up; what is before the first that fits is found backwards. */
const STRIDE = 8;

interface Place {
  readonly sound: number;
  readonly at: number;
}

/** Finds the sounds in what was heard, in the order of hearing. Of several places that fit, the longest counts. */
export function traced(heard: Uint8Array, sounds: readonly Uint8Array[]): Run[] {
  const places = new Map<string, Place[]>();
  sounds.forEach((audio, sound) => {
    for (let at = 0; at + KEY_BYTES <= audio.length; at += STRIDE) {
      const key = keyAt(audio, at);
      if (key === undefined) continue;
      const others = places.get(key);
      if (others) others.push({ sound, at });
      else places.set(key, [{ sound, at }]);
    }
  });
  const runs: Run[] = [];
  for (let from = 0; from + KEY_BYTES <= heard.length; ) {
    const key = heard[from] === MULAW_SILENCE ? undefined : keyAt(heard, from);
    const found = key === undefined ? undefined : longest(heard, from, sounds, places.get(key) ?? [], runs.at(-1));
    if (!found) {
      from += 1;
      continue;
    }
    runs.push(found);
    from = found.to;
  }
  return runs;
}

/** Samples of a sound that are in both runs. */
export function sameStretch(one: Run, other: Run): number {
  const end = ({ at, from, to }: Run) => at + to - from;
  return Math.max(0, Math.min(end(one), end(other)) - Math.max(one.at, other.at));
}

// --- Internal helpers ---

function keyAt(bytes: Uint8Array, at: number): string | undefined {
  const key = bytes.subarray(at, at + KEY_BYTES);
  return new Set(key).size < LIVELY ? undefined : String.fromCharCode(...key);
}

function longest(
  heard: Uint8Array,
  from: number,
  sounds: readonly Uint8Array[],
  places: readonly Place[],
  before: Run | undefined,
): Run | undefined {
  let best: Run | undefined;
  for (const { sound, at } of places) {
    const audio = sounds[sound] as Uint8Array;
    let to = from;
    while (to < heard.length && at + to - from < audio.length && heard[to] === audio[at + to - from]) to++;
    // Between two that fit alike it is the one that goes on.
    const goesOn = before?.sound === sound && at >= before.at + before.to - before.from;
    if (!best || to > best.to || (to === best.to && goesOn && best.sound !== sound)) best = { sound, from, to, at };
  }
  if (!best) return undefined;
  const audio = sounds[best.sound] as Uint8Array;
  let back = 0;
  const free = before?.to ?? 0;
  while (from - back > free && best.at > back && heard[from - back - 1] === audio[best.at - back - 1]) back++;
  const run = { ...best, from: best.from - back, at: best.at - back };
  return run.to - run.from < LEAST ? undefined : run;
}
