import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Trust } from "../../src/core/events.ts";
import { lowest, mayKnow, trustOfNumber } from "../../src/core/trust.ts";

const trusts: readonly Trust[] = ["stranger", "known", "owner"];
const trust = () => fc.constantFrom(...trusts);

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

describe("combining evidence", () => {
  test("one stranger among the evidence makes a stranger", () => {
    fc.assert(fc.property(trust(), (other) => lowest(other, "stranger") === "stranger"));
  });

  test("the result is one of the two, in either order, and never lets know more than each of them", () => {
    fc.assert(
      fc.property(trust(), trust(), (a, b) => {
        const low = lowest(a, b);
        expect([a, b]).toContain(low);
        expect(lowest(b, a)).toBe(low);
        for (const what of ["identity", "history", "memory"] as const) {
          if (mayKnow(low)[what]) expect(mayKnow(a)[what] && mayKnow(b)[what]).toBe(true);
        }
      }),
    );
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
