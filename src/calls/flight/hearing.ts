import type { Hearing } from "../../audio/speech-meter.ts";

const STEPS_PER_DB = 4;

/** A level in a byte: quarters of a decibel below full scale. */
export const levelOf = (dbfs: number): number => Math.min(255, Math.max(0, Math.round(-dbfs * STEPS_PER_DB)));

export const dbfsOf = (level: number): number => -level / STEPS_PER_DB;

const SOUNDS = 1;
const VOICED = 2;
const MURKY = 4;
const NEAR = 8;
const FULL = 16;
const IGNORED = 32;
const AUDIBLE = 64;

export function flagsOf({ sounds, voiced, murky, near, full, ignored }: Hearing, audible: boolean): number {
  return (
    (sounds ? SOUNDS : 0) |
    (voiced ? VOICED : 0) |
    (murky ? MURKY : 0) |
    (near ? NEAR : 0) |
    (full ? FULL : 0) |
    (ignored ? IGNORED : 0) |
    (audible ? AUDIBLE : 0)
  );
}

export const isAudibleFlag = (flags: number): boolean => (flags & AUDIBLE) !== 0;

/** Makes `into` what was written down of a hearing. */
export function recall(into: Hearing, level: number, floor: number, flags: number): void {
  into.levelDbfs = dbfsOf(level);
  into.floorDbfs = dbfsOf(floor);
  into.sounds = (flags & SOUNDS) !== 0;
  into.voiced = (flags & VOICED) !== 0;
  into.murky = (flags & MURKY) !== 0;
  into.near = (flags & NEAR) !== 0;
  into.full = (flags & FULL) !== 0;
  into.ignored = (flags & IGNORED) !== 0;
  into.speechLike = into.near ? (into.voiced ? 1 : into.murky ? 0.75 : 0.5) : 0;
}
