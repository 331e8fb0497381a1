import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { steadyClock } from "../../src/testing/steady-clock.ts";

/** A machine whose time is set by hand; `pass` lets it go on, and the process look at it. */
function machine() {
  let nowMs = 1_000;
  let beat: (() => void) | undefined;
  return {
    real: {
      now: () => nowMs,
      every: (_: number, action: () => void) => {
        beat = action;
        return () => {
          beat = undefined;
        };
      },
    },
    isHeld: () => beat !== undefined,
    pass(ms: number, isSeen = true) {
      nowMs += ms;
      if (isSeen) beat?.();
    },
  };
}

function started(speed = 1) {
  const ours = machine();
  const clock = steadyClock({ speed, real: ours.real });
  const startedAt = clock.now();
  return { ...ours, clock, passed: () => clock.now() - startedAt };
}

describe("time", () => {
  test("passes as fast as it was told", () => {
    const ours = started(8);
    for (let beats = 0; beats < 10; beats++) ours.pass(1);
    expect(ours.passed()).toBe(80);
  });

  test("stands still while the process does", () => {
    const ours = started(8);
    ours.pass(5_000);
    expect(ours.passed()).toBeLessThanOrEqual(8 * 4);
  });

  test("never goes back, nor faster than the machine's", () => {
    const step = fc.tuple(fc.double({ min: 0, max: 9, noNaN: true }), fc.boolean());
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const ours = started(2);
        let realMs = 0;
        for (const [ms, isSeen] of steps) {
          const before = ours.passed();
          ours.pass(ms, isSeen);
          realMs += ms;
          expect(ours.passed()).toBeGreaterThanOrEqual(before);
          expect(ours.passed()).toBeLessThanOrEqual(realMs * 2 + 0.01);
        }
      }),
    );
  });

  test("stands still while work outside the call is done, and what fires waits for it", async () => {
    const { clock, pass, passed } = started();
    const [first, second] = [Promise.withResolvers<string>(), Promise.withResolvers<never>()];
    let fired = 0;
    clock.after(1, () => fired++);
    const [good, bad] = [clock.during(first.promise), clock.during(second.promise)];
    first.resolve("done");
    expect(await good).toBe("done");
    pass(2);
    expect([fired, passed()]).toEqual([0, 0]);
    second.reject(new Error("it failed"));
    await expect(bad).rejects.toThrow("it failed");
    expect(passed()).toBe(0);
    pass(2);
    expect([fired, passed()]).toEqual([1, 2]);
  });

  test("ends with the clock", () => {
    const ours = started();
    let count = 0;
    ours.clock.every(1, () => count++);
    ours.clock.stop();
    const passed = ours.passed();
    ours.clock.after(0, () => count++);
    ours.pass(3);
    expect({ count, passed: ours.passed(), held: ours.isHeld() }).toEqual({ count: 0, passed, held: false });
  });
});

describe("timers", () => {
  test("fire in the order in which they are due, and those of one moment in the order of their start", () => {
    const { clock, pass } = started();
    const fired: string[] = [];
    clock.after(3, () => fired.push("late"));
    clock.after(1, () => fired.push("first"));
    clock.after(1, () => fired.push("second"));
    pass(2);
    pass(2);
    expect(fired).toEqual(["first", "second", "late"]);
  });

  test("of a standstill are not made up for: each fires when its time has come", () => {
    const { clock, pass, passed } = started();
    const fired: [name: string, atMs: number][] = [];
    clock.every(5, () => fired.push(["tick", passed()]));
    clock.after(7, () => fired.push(["once", passed()]));
    pass(1_000);
    for (let beats = 0; beats < 6; beats++) pass(1);
    expect(fired).toEqual([
      ["tick", 5],
      ["once", 7],
      ["tick", 10],
    ]);
  });

  test("that were stopped do not fire, also by one that is due with them, and stopping twice is harmless", () => {
    const { clock, pass } = started();
    const fired: string[] = [];
    const later = clock.after(2, () => fired.push("stopped by the other"));
    clock.after(1, () => later.stop());
    const repeated = clock.every(1, () => {
      fired.push("once");
      repeated.stop();
      repeated.stop();
    });
    for (let beats = 0; beats < 5; beats++) pass(2);
    expect(fired).toEqual(["once"]);
  });

  test("that are started by a timer wait for the next beat", () => {
    const { clock, pass } = started();
    const fired: string[] = [];
    clock.after(1, () => {
      fired.push("outer");
      clock.after(0, () => fired.push("inner"));
    });
    pass(2);
    expect(fired).toEqual(["outer"]);
    pass(0);
    expect(fired).toEqual(["outer", "inner"]);
  });
});

test("the machine's own time drives it", async () => {
  const clock = steadyClock({ speed: 50 });
  const startedAt = clock.now();
  await new Promise<void>((resolve) => void clock.after(200, resolve));
  expect(clock.now() - startedAt).toBeGreaterThanOrEqual(200);
  clock.stop();
});
