import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Attestation, Trust } from "../../src/core/events.ts";
import { higher, lowered, mayKnow, mayUse, trustOfNumber } from "../../src/core/trust.ts";

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

describe("what the network's word about a number changes", () => {
  const attestations: readonly (Attestation | undefined)[] = [undefined, "full", "partial", "gateway", "failed"];
  const anyTrust = fc.constantFrom(...trusts);
  const anyAttestation = fc.constantFrom(...attestations);

  test("it never raises anybody", () => {
    fc.assert(
      fc.property(anyTrust, anyAttestation, (trust, attestation) => {
        expect(higher(lowered(trust, attestation), trust)).toBe(trust);
      }),
    );
  });

  test("a signature that is wrong makes a stranger of everybody", () => {
    expect(trusts.map((trust) => lowered(trust, "failed"))).toEqual(["stranger", "stranger", "stranger"]);
  });

  test.each([undefined, "full", "partial", "gateway"] as const)("%s leaves everybody as they were", (attestation) => {
    expect(trusts.map((trust) => lowered(trust, attestation))).toEqual(trusts);
  });
});

describe("who may use what", () => {
  test("everybody may use what is for them and for those below", () => {
    const table = trusts.map((trust) => trusts.filter((needs) => mayUse(trust, needs)));
    expect(table).toEqual([["stranger"], ["stranger", "known"], ["stranger", "known", "owner"]]);
  });

  test("the higher of two may use whatever either may, and is one of them", () => {
    const anyTrust = fc.constantFrom(...trusts);
    fc.assert(
      fc.property(anyTrust, anyTrust, anyTrust, (a, b, needs) => {
        expect(mayUse(higher(a, b), needs)).toBe(mayUse(a, needs) || mayUse(b, needs));
        expect([a, b]).toContain(higher(a, b));
      }),
    );
  });
});
