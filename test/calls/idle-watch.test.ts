import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type IdleFacts, type IdleLimits, IdleWatch } from "../../src/calls/idle-watch.ts";

const TICK = 100;
const LIMITS: IdleLimits = { promptMs: 3_000, endMs: 2_000 };

/** What happens in a call: for so many ticks somebody speaks (or we owe something), or nobody does. */
interface Stretch {
  readonly busy: boolean;
  /** Whether the caller gives a sign of life at its beginning. */
  readonly sign: boolean;
  readonly ticks: number;
}

interface Moment {
  readonly nowMs: number;
  readonly facts: IdleFacts;
  readonly did: "prompt" | "end" | undefined;
}

/** Plays stretches to a watch. `answers`: the question is asked for so many ticks once it is due. */
function play(stretches: readonly Stretch[], limits = LIMITS, asksTicks = 5): Moment[] {
  const watch = new IdleWatch(limits);
  const moments: Moment[] = [];
  let nowMs = 0;
  let lastSignMs = 0;
  let freeSinceMs: number | undefined = 0;
  let asking = 0;
  for (const { busy, sign, ticks } of stretches) {
    if (sign) lastSignMs = nowMs;
    for (let tick = 0; tick < ticks; tick++, nowMs += TICK) {
      const speaks = busy || asking > 0;
      freeSinceMs = speaks ? undefined : (freeSinceMs ?? nowMs);
      asking = Math.max(0, asking - 1);
      const facts = { callersTurnSinceMs: freeSinceMs, lastSignMs };
      const did = watch.tick(nowMs, facts)?.idle;
      if (did === "prompt") asking = asksTicks;
      moments.push({ nowMs, facts, did });
    }
  }
  return moments;
}

const deeds = (moments: readonly Moment[]) => moments.flatMap(({ nowMs, did }) => (did ? [[nowMs, did]] : []));
const nobody = (ms: number): Stretch => ({ busy: false, sign: false, ticks: ms / TICK });

test("a caller who says nothing is asked once, and told goodbye when they do not answer", () => {
  expect(deeds(play([nobody(60_000)]))).toEqual([
    [3_000, "prompt"],
    [5_600, "end"], // the question takes half a second: its end counts
  ]);
});

test("a question that never sounds does not keep the call open", () => {
  expect(deeds(play([nobody(60_000)], LIMITS, 0))).toEqual([
    [3_000, "prompt"],
    [5_000, "end"],
  ]);
});

test("a caller who answers is asked again only after another silence", () => {
  const answer: Stretch = { busy: true, sign: true, ticks: 10 };
  expect(deeds(play([nobody(4_000), answer, nobody(4_000), answer, nobody(2_500)]))).toEqual([
    [3_000, "prompt"],
    [8_000, "prompt"],
  ]);
});

test("noise without words is no answer", () => {
  const noise: Stretch = { busy: true, sign: false, ticks: 10 };
  expect(deeds(play([nobody(4_000), noise, nobody(4_000)]))).toEqual([
    [3_000, "prompt"],
    [7_000, "end"],
  ]);
});

test("a key that is pressed in the silence begins it anew", () => {
  const key: Stretch = { busy: false, sign: true, ticks: 20 };
  expect(deeds(play([nobody(2_500), key, nobody(1_500)]))).toEqual([[5_500, "prompt"]]);
});

test("0 seconds: nobody is asked, and no call ends for silence", () => {
  expect(deeds(play([nobody(600_000)], { promptMs: 0, endMs: 1_000 }))).toEqual([]);
});

describe("whatever happens", () => {
  const stretch: fc.Arbitrary<Stretch> = fc.record({
    busy: fc.boolean(),
    sign: fc.boolean(),
    ticks: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 60 })),
  });

  test("it asks and ends when the rule says so, and at no other time", () => {
    fc.assert(
      fc.property(fc.array(stretch, { minLength: 1, maxLength: 30 }), fc.nat(10), (stretches, asksTicks) => {
        const moments = play(stretches, LIMITS, asksTicks);
        moments.forEach(({ nowMs, facts, did }, index) => {
          const before = moments.slice(0, index);
          const asked = before.findLast((one) => one.did === "prompt");
          const ended = before.some((one) => one.did === "end");
          const answered = !asked || facts.lastSignMs > asked.nowMs;
          const quietMs = facts.callersTurnSinceMs === undefined ? 0 : nowMs - facts.callersTurnSinceMs;
          const sinceSignMs = nowMs - facts.lastSignMs;
          const sinceAskedMs = asked ? nowMs - asked.nowMs : 0;
          const asks = answered && Math.min(quietMs, sinceSignMs) >= LIMITS.promptMs;
          const ends = !answered && Math.min(quietMs, sinceAskedMs) >= LIMITS.endMs;
          expect(did).toBe(ended ? undefined : asks ? "prompt" : ends ? "end" : undefined);
        });
      }),
      { numRuns: 500 },
    );
  });
});
