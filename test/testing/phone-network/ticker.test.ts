import { expect, test } from "vitest";
import type { Clock } from "../../../src/core/clock.ts";
import { FrameTicker } from "../../../src/testing/phone-network/ticker.ts";

/** A clock whose timer fires when the test says so, at whatever time the test says. */
function handClock() {
  let now = 1_000;
  const actions = new Set<() => void>();
  const clock: Clock = {
    now: () => now,
    after: () => ({ stop: () => {} }),
    every(_periodMs, action) {
      actions.add(action);
      return { stop: () => void actions.delete(action) };
    },
  };
  const fireAt = (ms: number) => {
    now = ms;
    for (const action of actions) action();
  };
  return { clock, fireAt, timers: actions };
}

test("frames are counted from the clock: late and irregular timers lose none and add none", () => {
  const { clock, fireAt } = handClock();
  const ticker = new FrameTicker(clock);
  let frames = 0;
  ticker.add(() => {
    frames += 1;
  });
  expect(frames).toBe(1);
  for (const at of [1_019, 1_021, 1_039, 1_100, 1_101, 1_900]) fireAt(at);
  expect(frames).toBe(46);
  for (let at = 1_921; at <= 61_000; at += 21) fireAt(at);
  fireAt(61_000);
  expect(frames).toBe(3_001);
});

test("each call counts from its own beginning, and the timer runs only while someone needs it", () => {
  const { clock, fireAt, timers } = handClock();
  const ticker = new FrameTicker(clock);
  const counts: [number, number] = [0, 0];
  const first = ticker.add(() => counts[0]++);
  fireAt(1_050);
  const second = ticker.add(() => counts[1]++);
  fireAt(1_065);
  expect(counts).toEqual([4, 1]);
  expect(timers.size).toBe(1);
  first.stop();
  fireAt(1_070);
  expect(counts).toEqual([4, 2]);
  second.stop();
  expect(timers.size).toBe(0);
});

test("a call that ends in a frame gets no other, however many are due", () => {
  const { clock, fireAt } = handClock();
  const ticker = new FrameTicker(clock);
  let frames = 0;
  const beat = ticker.add(() => {
    if (++frames === 3) beat.stop();
  });
  fireAt(2_000);
  expect(frames).toBe(3);
});
