/** Chance that a seed decides: the same seed is the same run, sample by sample. */
export interface Random {
  /** From 0 (inclusive) to 1. */
  unit(): number;
  /** Between two numbers, evenly. */
  between(low: number, high: number): number;
  /** A whole number between two (inclusive). */
  whole(low: number, high: number): number;
  pick<T>(from: readonly T[]): T;
  /** True in so many of ten cases. */
  chance(ofTen: number): boolean;
}

/** A generator of 32 bits of state (mulberry32). */
export function random(seed: number): Random {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  const unit = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number): number => low + (high - low) * unit();
  const whole = (low: number, high: number): number => Math.floor(between(low, high + 1));
  return {
    unit,
    between,
    whole,
    pick: (from) => from[whole(0, from.length - 1)] as (typeof from)[number],
    chance: (ofTen) => unit() * 10 < ofTen,
  };
}
