import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PlaybackClock } from "../../src/calls/playback-clock.ts";

describe("case 9: what was heard is counted by marks", () => {
  test("playback that lags, as two marks in a row agree, sets the clock back by as much", () => {
    const clock = new PlaybackClock();
    expect(clock.at(1_000)).toBe(1_000);
    clock.marked(clock.mark(1_200), 1_500);
    expect(clock.lagMs).toBe(0);
    clock.marked(clock.mark(1_400), 1_720);
    expect(clock.lagMs).toBe(300);
    expect(clock.at(2_000)).toBe(1_700);
  });

  test("a lag that has passed is forgotten with the next mark", () => {
    const clock = new PlaybackClock();
    for (let end = 200; end <= 1_000; end += 200) clock.marked(clock.mark(end), end + 400);
    clock.marked(clock.mark(1_200), 1_205);
    expect(clock.lagMs).toBe(5);
  });

  test("marks that a clear sends back, unknown and doubled ones say nothing", () => {
    const clock = new PlaybackClock();
    const stale = [clock.mark(5_000), clock.mark(6_000), clock.mark(7_000)];
    clock.cleared();
    for (const name of [...stale, "7.7", "", "mark"]) clock.marked(name, 9_000);
    expect(clock.lagMs).toBe(0);
    const fresh = clock.mark(1_000);
    clock.marked(fresh, 1_100);
    clock.marked(fresh, 9_000);
    expect(clock.lagMs).toBe(0);
  });

  test("while a mark is overdue nothing is believed to have been heard since the last one that came back", () => {
    const clock = new PlaybackClock();
    clock.marked(clock.mark(1_000), 1_010);
    const next = clock.mark(1_200);
    clock.mark(1_400);
    expect(clock.believed(1_350)).toBe(1_350);
    expect(clock.believed(2_199)).toBe(2_199);
    expect(clock.believed(2_200)).toBe(1_000);
    expect(clock.at(2_200)).toBe(2_200); // what is sent goes on at its pace
    clock.marked(next, 2_300);
    expect(clock.believed(2_350)).toBe(2_340); // late by 10 ms, as both marks agree
    expect(clock.believed(2_500)).toBe(1_200);
    clock.cleared();
    expect(clock.believed(2_500)).toBe(2_490);
  });

  test("a carrier that never sends a mark back is believed", () => {
    const clock = new PlaybackClock();
    clock.mark(1_000);
    expect(clock.believed(9_000)).toBe(9_000);
  });

  test("the clock is never ahead of the wall, and never further back than the latest mark came late", () => {
    const marks = fc.array(fc.record({ stepMs: fc.nat(500), lateMs: fc.integer({ min: -50, max: 3_000 }) }));
    fc.assert(
      fc.property(marks, (sent) => {
        const clock = new PlaybackClock();
        let end = 0;
        for (const { stepMs, lateMs } of sent) {
          end += stepMs;
          clock.marked(clock.mark(end), end + lateMs);
          expect(clock.lagMs).toBeGreaterThanOrEqual(0);
          expect(clock.lagMs).toBeLessThanOrEqual(Math.max(0, lateMs));
        }
      }),
    );
  });
});
