import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readDigits } from "../../src/core/spoken-digits.ts";

describe("digits are read as they are said", () => {
  test.each([
    ["123456", "123456"],
    ["12 34 56", "123456"],
    ["123-456", "123456"],
    ["1, 2, 3, 4, 5, 6.", "123456"],
    ["one two three four five six", "123456"],
    ["One two, three four; five six!", "123456"],
    ["oh zero o nought", "0000"],
    ["double five triple 7", "55777"],
    ["one double two three", "1223"],
    ["the code is one two three, four five six", "123456"],
    ["1 2 three 4 5 six", "123456"],
    ["eins zwo drei vier fünf sechs", "123456"],
    ["null acht doppel neun", "0899"],
    ["１２３", "123"],
    ["12*456", "12456"],
    ["no idea", ""],
    ["", ""],
  ])("%j", (said, digits) => {
    expect(readDigits(said)).toBe(digits);
  });

  test.each([
    "twenty three forty five",
    "twelve 34 56",
    "one hundred",
    "dreiundzwanzig",
    "zwölf",
    "1st",
    "12a456",
    "double",
    "five double",
    "double 55",
    "double trouble",
    "double double five",
    "५",
  ])("%j cannot be told for certain", (said) => {
    expect(readDigits(said)).toBeUndefined();
  });
});

test("whatever is said, there come digits or nothing", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "grapheme" }), fc.string()), (said) => {
      const digits = readDigits(said);
      expect(digits === undefined || /^[0-9]*$/.test(digits)).toBe(true);
    }),
  );
});

test("digits that are spelled in any way are the same digits", () => {
  const words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
  const oneSaid = fc
    .nat(9)
    .chain((digit) =>
      fc.constantFrom(
        { said: String(digit), means: String(digit) },
        { said: words[digit] as string, means: String(digit) },
        { said: `double ${words[digit]}`, means: `${digit}${digit}` },
      ),
    );
  const gap = fc.constantFrom(" ", ", ", " - ", "; and ");
  fc.assert(
    fc.property(fc.array(fc.tuple(oneSaid, gap)), (parts) => {
      const said = parts.map(([{ said }, between]) => said + between).join("");
      expect(readDigits(said)).toBe(parts.map(([{ means }]) => means).join(""));
    }),
  );
});
