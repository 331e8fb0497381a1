import fc from "fast-check";
import { expect, test } from "vitest";
import { EVENT_STEPS, EVENT_VERSION, upcast } from "../../src/core/event-versions.ts";
import { callEvents } from "../../src/testing/journals.ts";

test("an event of today's version, or of a later one, stays as it is", () => {
  fc.assert(
    fc.property(callEvents(), fc.nat(3), (event, later) => {
      expect(upcast(event, EVENT_VERSION + later)).toBe(event);
    }),
  );
});

test("an event in today's form is the same whatever version it is taken for", () => {
  fc.assert(
    fc.property(callEvents(), fc.integer({ min: 1, max: EVENT_VERSION }), (event, version) => {
      expect(upcast(event, version)).toEqual(event);
    }),
  );
});

test("version 1: a call that was let go did not say how long its caller had waited", () => {
  expect(upcast({ type: "call.released", atMs: 5 }, 1)).toEqual({
    type: "call.released",
    atMs: 5,
    longestSilenceMs: 0,
  });
});

test("an event goes through all steps from its own version on, in their order", () => {
  const steps = ["b", "c", "d"].map((letter) => (event: { type: string }) => ({ ...event, type: event.type + letter }));
  expect([1, 2, 3, 4, 9].map((version) => upcast({ type: "a" }, version, steps).type)).toEqual([
    "abcd",
    "acd",
    "ad",
    "a",
    "a",
  ]);
  expect(EVENT_VERSION).toBe(EVENT_STEPS.length + 1);
});
