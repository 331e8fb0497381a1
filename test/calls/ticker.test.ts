import { expect, test } from "vitest";
import { Ticker } from "../../src/calls/ticker.ts";
import { handClock } from "./clock.ts";

test("each listener is told once in every period, and all of them are spread over it", () => {
  const clock = handClock();
  const ticker = new Ticker(clock, 40);
  const told = new Map<number, number[]>();
  const leave = Array.from({ length: 10 }, (_, call) =>
    ticker.add((nowMs) => told.set(call, [...(told.get(call) ?? []), nowMs - 1_000_000])),
  );
  clock.pass(400);
  const at = [...told.values()];
  expect(at).toHaveLength(10);
  for (const times of at) {
    expect(times).toHaveLength(10);
    expect(times.slice(1).every((time, i) => time - (times[i] as number) === 40)).toBe(true);
  }
  const together = new Map<number, number>();
  for (const [first = 0] of at) together.set(first, (together.get(first) ?? 0) + 1);
  expect([...together.keys()].sort((a, b) => a - b)).toEqual([10, 20, 30, 40]);
  expect(Math.max(...together.values())).toBe(3);
  for (const one of leave) one();
  expect(clock.running).toBe(0);
});

test("the only listener is told a whole period after it came, also after others have gone", () => {
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
