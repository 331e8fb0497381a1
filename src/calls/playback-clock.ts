/** So many marks in a row must have come late before playback is taken to lag: a single one may have been held up itself. */
const AGREEING = 2;

/**
 * The clock of playback at the carrier. Ours counts from when audio was sent; marks, which come back when what was sent
 * before them has played, tell by how much playback lags behind it. Marks of sound that was dropped come back at once
 * and say nothing: each name carries the generation of its sound, and only the present one counts.
 */
export class PlaybackClock {
  #generation = 0;
  #count = 0;
  /** When the sound before each mark ends, on this clock, by the mark's name. */
  #expected = new Map<string, number>();
  #late: number[] = [];
  #lagMs = 0;

  /** Milliseconds by which playback is later than our own counting says. */
  get lagMs(): number {
    return this.#lagMs;
  }

  /** The time of playback at a time of the wall, both in milliseconds. */
  at(nowMs: number): number {
    return nowMs - this.#lagMs;
  }

  /** The name of a mark behind sound that ends at `endsAtMs` of this clock. */
  mark(endsAtMs: number): string {
    this.#count += 1;
    const name = `${this.#generation}.${this.#count}`;
    this.#expected.set(name, endsAtMs);
    return name;
  }

  /** The carrier dropped what had not played. */
  cleared(): void {
    this.#generation += 1;
    this.#expected.clear();
  }

  /** A mark came back at `nowMs` of the wall. One that is unknown, or of dropped sound, is ignored. */
  marked(name: string, nowMs: number): void {
    const endsAtMs = this.#expected.get(name);
    if (endsAtMs === undefined) return;
    this.#expected.delete(name);
    this.#late = [...this.#late, Math.max(0, nowMs - endsAtMs)].slice(-AGREEING);
    if (this.#late.length === AGREEING) this.#lagMs = Math.min(...this.#late);
  }
}
