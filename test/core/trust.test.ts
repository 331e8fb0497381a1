import { describe, expect, test } from "vitest";
import type { Trust } from "../../src/core/events.ts";
import { mayKnow, trustOfNumber } from "../../src/core/trust.ts";

const trusts: readonly Trust[] = ["stranger", "known", "owner"];

describe("what a caller may know", () => {
  test("a stranger meets the persona and nothing else", () => {
    expect(mayKnow("stranger")).toEqual({ identity: false, history: false, memory: false });
  });

  test("a known number gets to know the agent and its own history, but no private memory", () => {
    expect(mayKnow("known")).toEqual({ identity: true, history: true, memory: false });
  });

  test("only the owner reaches private memory", () => {
    expect(trusts.filter((trust) => mayKnow(trust).memory)).toEqual(["owner"]);
  });
});

describe("what a number is worth", () => {
  test("a listed number is known, and never an owner", () => {
    expect(trustOfNumber("+15550005678", ["+15550005678"])).toBe("known");
  });

  test("a list that lets everybody in makes nobody known", () => {
    expect(trustOfNumber("+15550005678", ["*"])).toBe("stranger");
    expect(trustOfNumber("*", ["*"])).toBe("stranger");
  });
});
