import { expect, test } from "vitest";
import { StreamTokens } from "../../src/calls/stream-tokens.ts";
import { handClock } from "./clock.ts";

test("a token opens its call for its leg, once", () => {
  const tokens = new StreamTokens(handClock());
  const token = tokens.issue("call_1", "CA1");
  expect(token.length).toBeGreaterThanOrEqual(43); // 256 bits
  expect(tokens.redeem(token, "CA1")).toBe("call_1");
  expect(tokens.redeem(token, "CA1")).toBeUndefined();
});

test("a token is worth nothing to another leg, and is not used up by it", () => {
  const tokens = new StreamTokens(handClock());
  const token = tokens.issue("call_1", "CA1");
  for (const [tried, leg] of [
    [token, "CA2"],
    ["", "CA1"],
    [undefined, "CA1"],
    ["guess", "CA1"],
  ] as const) {
    expect(tokens.redeem(tried, leg)).toBeUndefined();
  }
  expect(tokens.redeem(token, "CA1")).toBe("call_1");
});

test("a token lives for 30 seconds", () => {
  const clock = handClock();
  const tokens = new StreamTokens(clock);
  const [early, late] = [tokens.issue("call_1", "CA1"), tokens.issue("call_2", "CA2")];
  clock.pass(29_999);
  expect(tokens.redeem(early, "CA1")).toBe("call_1");
  clock.pass(1);
  expect(tokens.redeem(late, "CA2")).toBeUndefined();
});
