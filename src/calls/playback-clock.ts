/** So many marks in a row must have come late before playback is taken to lag: a single one may have been held up itself. */
const AGREEING = 2;
/** A mark that is late by so much says that nothing plays, or that nobody can tell. */
const OVERDUE_MS = 1_000;

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
  /** When the sound before the latest mark that came back ended, on this clock. */
  #confirmedMs: number | undefined;

  /** Milliseconds by which playback is later than our own counting says. */
  get lagMs(): number {
    return this.#lagMs;
  }

  /** The time of playback at a time of the wall, both in milliseconds. */
  at(nowMs: number): number {
    return nowMs - this.#lagMs;
  }

  /**
   * Until when, on this clock, sound is believed to have been heard. While a mark is overdue that is no further than
   * the last one that came back: a connection that is dead, though open, plays nothing. A carrier that never sent one
   * back is believed.
   */
  believed(nowMs: number): number {
    const at = this.at(nowMs);
    const [oldest] = this.#expected.values();
    if (oldest === undefined || this.#confirmedMs === undefined || at - oldest < OVERDUE_MS) return at;
    return Math.min(at, this.#confirmedMs);
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
    this.#confirmedMs = Math.max(this.#confirmedMs ?? endsAtMs, endsAtMs);
    this.#late = [...this.#late, Math.max(0, nowMs - endsAtMs)].slice(-AGREEING);
    if (this.#late.length === AGREEING) this.#lagMs = Math.min(...this.#late);
  }
}
