import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidNumberError } from "../../src/core/errors.ts";
import { maskNumber, parseE164, requireE164 } from "../../src/core/numbers.ts";

describe("reading a number", () => {
  test.each([
    ["+1 (555) 000-1234", "+15550001234"],
    ["voice:+15550001234", "+15550001234"],
    ["tel:+49 30 901820", "+4930901820"],
    ["  +49.30.901820 ", "+4930901820"],
  ])("%s is %s", (raw, number) => {
    expect(parseE164(raw)).toBe(number);
  });

  test.each([
    "",
    "15550001234",
    "0049 30 901820",
    "+1",
    "+12345678901234567890",
    "+1555000123x",
    "sip:+15550001234@example.com",
  ])("%s is no number", (raw) => {
    expect(parseE164(raw)).toBeUndefined();
  });

  test("what was read reads as itself, and anything else is refused without a crash", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\+[0-9 ()-]{1,18}$/)), (raw) => {
        const number = parseE164(raw);
        if (number === undefined) return;
        expect(number).toMatch(/^\+\d{4,15}$/);
        expect(parseE164(number)).toBe(number);
      }),
    );
  });

  test("a wrong number names its field and how to write it", () => {
    expect(() => requireE164("12", "to")).toThrow(InvalidNumberError);
    expect(() => requireE164("12", "to")).toThrow(/^to: "12".*\+15550001234/);
  });
});

test("a masked number keeps country and last two digits, and a short one nothing", () => {
  expect(maskNumber("+15550001234")).toBe("+1…34");
  expect(maskNumber("+12345")).toBe("…");
});
