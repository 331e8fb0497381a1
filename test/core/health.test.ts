import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  believe,
  type Episode,
  followEpisode,
  HEALTH_LEVELS,
  type HealthLevel,
  type Hysteresis,
  judge,
  owedTo,
  worstOf,
} from "../../src/core/health.ts";

const level = () => fc.constantFrom(...HEALTH_LEVELS);
const looks = () => fc.array(level(), { maxLength: 60 });
const rules = (): fc.Arbitrary<Hysteresis> =>
  fc.record({ fallAfter: fc.integer({ min: 1, max: 5 }), riseAfter: fc.integer({ min: 1, max: 5 }) });
const rank = (one: HealthLevel) => HEALTH_LEVELS.indexOf(one);

/** What is believed after each look, the belief before the first look first. */
function believed(seen: readonly HealthLevel[], by: Hysteresis, first: HealthLevel = "well"): HealthLevel[] {
  let standing = believe(first, 0);
  return [
    first,
    ...seen.map((one, index) => {
      standing = judge(standing, { level: one, atMs: index + 1 }, by);
      return standing.level;
    }),
  ];
}

describe("what is believed of something that is looked at", () => {
  test("it changes only after enough looks in a row that all speak for the change, and to what one of them saw", () => {
    fc.assert(
      fc.property(looks(), rules(), level(), (seen, by, first) => {
        const levels = believed(seen, by, first);
        levels.slice(1).forEach((now, index) => {
          const before = levels[index] as HealthLevel;
          if (now === before) return;
          const isWorse = rank(now) > rank(before);
          const enough = isWorse ? by.fallAfter : by.riseAfter;
          const last = seen.slice(Math.max(0, index + 1 - enough), index + 1);
          expect(last).toHaveLength(enough);
          // Each of them was at least as far from the old belief as the new one is.
          for (const one of last) expect(isWorse ? rank(one) >= rank(now) : rank(one) <= rank(now)).toBe(true);
          expect(last).toContain(now);
        });
      }),
    );
  });

  test("enough looks that agree are believed, whatever was before", () => {
    fc.assert(
      fc.property(looks(), rules(), level(), level(), (seen, by, first, last) => {
        // Twice, for what was seen before may count at first, and lead half the way.
        const enough = Array<HealthLevel>(2 * Math.max(by.fallAfter, by.riseAfter)).fill(last);
        expect(believed([...seen, ...enough], by, first).at(-1)).toBe(last);
      }),
    );
  });

  test("flapping is bounded: so many changes need so many looks", () => {
    fc.assert(
      fc.property(looks(), rules(), (seen, by) => {
        const levels = believed(seen, by);
        const falls = levels.filter(
          (now, index) => index > 0 && rank(now) > rank(levels[index - 1] as HealthLevel),
        ).length;
        const rises = levels.filter(
          (now, index) => index > 0 && rank(now) < rank(levels[index - 1] as HealthLevel),
        ).length;
        expect(falls * by.fallAfter + rises * by.riseAfter).toBeLessThanOrEqual(seen.length);
      }),
    );
  });

  test("looks that never agree for long enough change nothing", () => {
    const seen = Array.from({ length: 40 }, (_, index) => (index % 3 === 2 ? "well" : "down") as HealthLevel);
    expect(new Set(believed(seen, { fallAfter: 3, riseAfter: 2 }))).toEqual(new Set(["well"]));
  });
});

/** Steps of time with what is believed at each. */
const courses = () =>
  fc.array(fc.record({ afterMs: fc.integer({ min: 1, max: 50_000 }), level: level() }), { maxLength: 60 });

/** Tells one address all that is owed to it, at once; what it was told, and when. */
function tell(course: readonly { afterMs: number; level: HealthLevel }[], calmMs: number) {
  const told: { atMs: number; level: HealthLevel }[] = [];
  let episode: Episode | undefined;
  let nowMs = 0;
  for (const step of course) {
    nowMs += step.afterMs;
    episode = followEpisode(episode, step.level, nowMs, calmMs);
    const owed = episode && owedTo(episode, "ann");
    if (episode && owed) {
      told.push({ atMs: nowMs, level: owed });
      const { ann: _before, ...others } = episode.told;
      episode = { ...episode, told: owed === "well" ? others : { ...others, ann: owed } };
    }
    if (episode?.over && owedTo(episode, "ann") === undefined) episode = undefined;
  }
  return told;
}

describe("an episode of trouble", () => {
  test("its beginning is told once, a worsening once, its end once, and in this order", () => {
    fc.assert(
      fc.property(courses(), fc.integer({ min: 0, max: 100_000 }), (course, calmMs) => {
        const said = tell(course, calmMs)
          .map(({ level: one }) => one[0])
          .join("");
        expect(said).toMatch(/^(?:(?:d|dd)w)*(?:d|dd)?$/); // degraded and down begin with the same letter
        expect(said).not.toContain("ddd");
      }),
    );
  });

  test("between its end and the one before, or its beginning, all was well for as long as the rule says", () => {
    fc.assert(
      fc.property(courses(), fc.integer({ min: 1, max: 100_000 }), (course, calmMs) => {
        const told = tell(course, calmMs);
        const times = course.map((_, index) =>
          course.slice(0, index + 1).reduce((sum, { afterMs }) => sum + afterMs, 0),
        );
        for (const { atMs } of told.filter(({ level: one }) => one === "well")) {
          const during = course.filter(
            (_, index) => (times[index] as number) > atMs - calmMs && (times[index] as number) <= atMs,
          );
          expect(during.every(({ level: one }) => one === "well")).toBe(true);
        }
        const span = times.at(-1) ?? 0;
        expect(told.filter(({ level: one }) => one === "well").length).toBeLessThanOrEqual(span / calmMs);
      }),
    );
  });

  test("a trouble that has passed before anybody was told is not told at all", () => {
    const begun = followEpisode(undefined, "down", 1_000, 60_000) as Episode;
    expect(owedTo(begun, "ann")).toBe("down");
    const passed = followEpisode(begun, "well", 2_000, 60_000) as Episode;
    expect(owedTo(passed, "ann")).toBeUndefined();
    const over = followEpisode(passed, "well", 62_000, 60_000) as Episode;
    expect([over.over, owedTo(over, "ann")]).toEqual([true, undefined]);
  });
});

test("the worst of several levels is the worst, and nothing is well", () => {
  fc.assert(
    fc.property(looks(), (levels) => {
      expect(rank(worstOf(levels))).toBe(Math.max(0, ...levels.map(rank)));
    }),
  );
});
