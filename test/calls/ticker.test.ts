import { expect, test } from "vitest";
import { Ticker } from "../../src/calls/ticker.ts";
import { handClock } from "./clock.ts";

test("a listener is told in every period from a whole one after the first came, also after all had gone", () => {
  const clock = handClock();
  const ticker = new Ticker(clock, 40);
  for (let i = 0; i < 3; i++) {
    const startMs = clock.now();
    const told: number[] = [];
    const leave = ticker.add((nowMs) => told.push(nowMs - startMs));
    clock.pass(95);
    expect(told).toEqual([40, 80]);
    leave();
    leave();
  }
});

test("whoever leaves while all are told is not told any more, and takes nobody with them", () => {
  const clock = handClock();
  const ticker = new Ticker(clock, 40);
  const told: string[] = [];
  const leaves: (() => void)[] = [];
  for (const name of ["a", "b", "c", "d", "e"]) {
    leaves.push(
      ticker.add(() => {
        told.push(name);
        leaves[0]?.();
      }),
    );
  }
  clock.pass(80);
  expect(told.filter((name) => name === "a").length).toBeLessThanOrEqual(1);
  for (const name of ["b", "c", "d", "e"]) expect(told.filter((one) => one === name)).toHaveLength(2);
});
