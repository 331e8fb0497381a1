/** Three points of a distribution; `null` where nothing was measured. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

/** Numbers of one kind, kept whole: percentiles of several runs are taken over all their samples. */
export class Samples {
  #values = new Float64Array(1024);
  #count = 0;

  add(value: number): void {
    if (this.#count === this.#values.length) {
      const larger = new Float64Array(this.#count * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count] = value;
    this.#count += 1;
  }

  addAll(values: Iterable<number>): void {
    for (const value of values) this.add(value);
  }

  get count(): number {
    return this.#count;
  }

  /** What was added, in ascending order. */
  sorted(): Float64Array {
    return this.#values.slice(0, this.#count).sort();
  }

  percentiles(): Percentiles {
    const sorted = this.sorted();
    return { p50: percentile(sorted, 50), p90: percentile(sorted, 90), p99: percentile(sorted, 99) };
  }
}

/** The smallest value that at least `percent` of the ascending `sorted` do not exceed (nearest rank). */
export function percentile(sorted: ArrayLike<number>, percent: number): number | null {
  if (sorted.length === 0) return null;
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.max(0, rank - 1)] as number;
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] as number;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] as number;
  return (lower + upper) / 2;
}

/** A median with the least and the greatest of its values. */
export interface Spread {
  readonly median: number | null;
  readonly min: number | null;
  readonly max: number | null;
}

export function spread(values: readonly number[]): Spread {
  if (values.length === 0) return { median: null, min: null, max: null };
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** How busy the load generator and the machine were during a measurement. */
export interface GeneratorLoad {
  /** Share of one core, 0 to 1. */
  readonly cpu: number;
  /** How late its own work began, 99th percentile in milliseconds. */
  readonly lagP99Ms: number;
  /** Share of the bridge's core that neither the bridge nor the generator used; unknown where nothing is pinned. */
  readonly foreign?: number;
}

/** Above these the generator, or somebody else, is measured rather than the bridge. */
export const GENERATOR_LIMITS = { cpu: 0.7, lagP99Ms: 5, foreign: 0.2 };

/** Why what was measured on a machine so busy does not count; `undefined` when it counts. */
export function whyVoid({ cpu, lagP99Ms, foreign = 0 }: GeneratorLoad): string | undefined {
  const busy = `${Math.round(cpu * 100)} % CPU`;
  if (cpu > GENERATOR_LIMITS.cpu) return `the generator used ${busy}, over ${GENERATOR_LIMITS.cpu * 100} %`;
  if (lagP99Ms > GENERATOR_LIMITS.lagP99Ms) {
    return `the generator was ${lagP99Ms.toFixed(1)} ms late (p99), over ${GENERATOR_LIMITS.lagP99Ms} ms`;
  }
  if (foreign > GENERATOR_LIMITS.foreign) {
    return `other programs used ${Math.round(foreign * 100)} % of the bridge's core, over ${GENERATOR_LIMITS.foreign * 100} %`;
  }
  return undefined;
}
