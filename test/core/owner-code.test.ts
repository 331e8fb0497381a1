import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CODE_LIVES_MS,
  makeCode,
  NO_CODES,
  type OwnerCodes,
  readCode,
  sendCode,
  takeBack,
  tryCode,
} from "../../src/core/owner-code.ts";

const HOUR_MS = 3_600_000;

describe("a code", () => {
  /** Hands out these bytes, over and over. */
  const source = (bytes: readonly number[]) => {
    let at = 0;
    return (count: number) => Uint8Array.from({ length: count }, () => bytes[at++ % bytes.length] as number);
  };

  test("has six digits, whatever the bytes", () => {
    const bytes = fc.array(fc.nat(255), { minLength: 1 }).filter((all) => all.some((byte) => byte < 250));
    fc.assert(
      fc.property(bytes, (all) => {
        expect(makeCode(source(all))).toMatch(/^[0-9]{6}$/);
      }),
    );
  });

  test("has every digit equally often: bytes that would make the low ones more frequent do not count", () => {
    const counts = new Map<string, number>();
    for (let byte = 0; byte < 250; byte += 1) {
      const digit = /^([0-9])\1{5}$/.exec(makeCode(source([byte])))?.[1] as string;
      counts.set(digit, (counts.get(digit) ?? 0) + 1);
    }
    expect([...counts.values()]).toEqual(Array.from({ length: 10 }, () => 25));
    for (let byte = 250; byte < 256; byte += 1) expect(makeCode(source([byte, 9]))).toBe("999999");
  });

  test("begins with zero as often as not", () => {
    expect(makeCode(source([250, 0, 251, 1, 255, 2, 3, 4, 5]))).toBe("012345");
  });

  test.each(["12345", "1234567", "no", "twelve 34 56", ""])("is not %j", (said) => {
    expect(readCode(said)).toBeUndefined();
  });

  test("is read as it is said", () => {
    expect(readCode("oh one double two, 34")).toBe("012234");
  });
});

describe("one account", () => {
  const sent = (codes: OwnerCodes, hash: string, nowMs: number, callId = "call_1") =>
    sendCode(codes, { callId, hash }, nowMs);
  const tried = (codes: OwnerCodes, hash: string, nowMs: number, callId = "call_1") =>
    tryCode(codes, { callId, isRight: (kept) => kept === hash }, nowMs);

  test("a code is right once", () => {
    const first = tried(sent(NO_CODES, "a", 0).codes, "a", 1_000);
    expect(first.verdict).toBe("right");
    expect(tried(first.codes, "a", 2_000).verdict).toBe("none");
  });

  test("a code is right for five minutes", () => {
    const { codes } = sent(NO_CODES, "a", 0);
    expect(tried(codes, "a", CODE_LIVES_MS - 1).verdict).toBe("right");
    expect(tried(codes, "a", CODE_LIVES_MS)).toMatchObject({ verdict: "expired", codes: { wrongAtMs: [] } });
  });

  test("a code is right on the call that asked for it alone, and trying it elsewhere is no try", () => {
    const { codes } = sent(NO_CODES, "a", 0);
    const elsewhere = tried(codes, "a", 1, "call_2");
    expect(elsewhere).toMatchObject({ verdict: "none", codes: { wrongAtMs: [] } });
    expect(tried(elsewhere.codes, "a", 2).verdict).toBe("right");
  });

  test("a new code takes the place of the one before", () => {
    const { codes } = sent(sent(NO_CODES, "a", 0).codes, "b", 1);
    expect(tried(codes, "a", 2).verdict).toBe("wrong");
    expect(tried(codes, "b", 2).verdict).toBe("right");
  });

  test("a fourth code within an hour is refused until the first is an hour old", () => {
    const { codes } = sent(sent(sent(NO_CODES, "a", 0).codes, "b", 1_000).codes, "c", 2_000);
    expect(sent(codes, "d", 3_000)).toMatchObject({ verdict: "too_many", againAtMs: HOUR_MS });
    expect(sent(codes, "d", HOUR_MS - 1).verdict).toBe("too_many");
    expect(sent(codes, "d", HOUR_MS).verdict).toBe("sent");
  });

  test("a code that did not leave counts for nothing; one that left meanwhile stays", () => {
    const { codes } = sent(sent(NO_CODES, "a", 0).codes, "b", 1_000);
    expect(takeBack(codes, { hash: "b", sentAtMs: 1_000 })).toEqual({ ...NO_CODES, sentAtMs: [0] });
    expect(takeBack(codes, { hash: "a", sentAtMs: 0 })).toEqual({ ...codes, sentAtMs: [1_000] });
    expect(takeBack(NO_CODES, { hash: "a", sentAtMs: 0 })).toEqual(NO_CODES);
  });

  test("the fifth wrong try within an hour locks for an hour, also for the right code and for new ones", () => {
    let { codes } = sent(NO_CODES, "a", 0);
    for (let wrong = 1; wrong <= 5; wrong += 1) {
      expect(codes.lockedUntilMs).toBe(0);
      const next = tried(codes, "x", wrong);
      expect(next.verdict).toBe("wrong");
      codes = next.codes;
    }
    expect(tried(codes, "a", 6)).toMatchObject({ verdict: "locked", againAtMs: HOUR_MS + 5 });
    expect(sent(codes, "b", HOUR_MS + 4)).toMatchObject({ verdict: "locked", againAtMs: HOUR_MS + 5 });
    const after = sent(codes, "b", HOUR_MS + 5);
    expect(after.verdict).toBe("sent");
    expect(tried(after.codes, "b", HOUR_MS + 6).verdict).toBe("right");
  });

  test("a right code forgives no wrong one", () => {
    let { codes } = sent(NO_CODES, "a", 0);
    for (let wrong = 1; wrong <= 4; wrong += 1) codes = tried(codes, "x", wrong).codes;
    codes = sent(tried(codes, "a", 5).codes, "b", 6).codes;
    expect(tried(codes, "x", 7).codes.lockedUntilMs).toBe(HOUR_MS + 7);
  });
});

describe("however codes are sent and tried, on whatever calls", () => {
  type Step = { readonly afterMs: number; readonly callId: string } & (
    | { readonly kind: "send"; readonly hash: string }
    | { readonly kind: "try"; readonly hash: string }
  );
  const steps = fc.array(
    fc.record({
      afterMs: fc.oneof(fc.nat(2_000), fc.nat(CODE_LIVES_MS * 2), fc.nat(HOUR_MS)),
      callId: fc.constantFrom("call_1", "call_2"),
      kind: fc.constantFrom("send" as const, "try" as const, "try" as const),
      hash: fc.constantFrom("a", "b", "c"),
    }),
    { maxLength: 60 },
  );

  /** Takes the steps, and says of each when it was and what came of it. */
  const take = (all: readonly Step[]) => {
    let codes = NO_CODES;
    let nowMs = 1_000_000;
    return all.map((step) => {
      nowMs += step.afterMs;
      const { callId, hash } = step;
      const outcome =
        step.kind === "send"
          ? sendCode(codes, { callId, hash }, nowMs)
          : tryCode(codes, { callId, isRight: (kept) => kept === hash }, nowMs);
      codes = outcome.codes;
      return { ...step, nowMs, verdict: outcome.verdict, codes };
    });
  };

  const mostAnHour = (times: readonly number[]) =>
    Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + HOUR_MS).length));

  test("no more than three are sent and five guessed in any hour", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const taken = take(all);
        const when = (verdict: string) => taken.filter((one) => one.verdict === verdict).map(({ nowMs }) => nowMs);
        expect(mostAnHour(when("sent"))).toBeLessThanOrEqual(3);
        expect(mostAnHour(when("wrong"))).toBeLessThanOrEqual(5);
      }),
    );
  });

  test("a code is right only if it is the newest, of this call, not five minutes old and not used", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const taken = take(all);
        taken.forEach(({ verdict, callId, hash, nowMs }, index) => {
          if (verdict !== "right") return;
          const before = taken.slice(0, index);
          const newest = before.findLast((one) => one.verdict === "sent");
          expect(newest).toMatchObject({ callId, hash });
          expect(nowMs - (newest?.nowMs ?? 0)).toBeLessThan(CODE_LIVES_MS);
          const since = before.slice(before.indexOf(newest as (typeof before)[number]));
          expect(since.map((one) => one.verdict)).not.toContain("right");
        });
      }),
    );
  });

  test("while it is locked nothing is sent and nothing is right, and what is remembered stays small", () => {
    fc.assert(
      fc.property(steps, (all) => {
        let lockedUntilMs = 0;
        for (const { nowMs, verdict, codes } of take(all)) {
          expect(verdict === "locked").toBe(nowMs < lockedUntilMs);
          lockedUntilMs = codes.lockedUntilMs;
          expect(codes.sentAtMs.length).toBeLessThanOrEqual(3);
          expect(codes.wrongAtMs.length).toBeLessThanOrEqual(5);
        }
      }),
    );
  });
});
