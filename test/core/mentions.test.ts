import fc from "fast-check";
import { expect, test } from "vitest";
import { blotted, isNamed, mentionFinder } from "../../src/core/mentions.ts";

const ANN = "+15550001111";

test("a number is found with and without its plus, and never within a longer one", () => {
  const isMentioned = mentionFinder([ANN, "call_a.b"]);
  for (const text of [ANN, "15550001111", `x${ANN}x`, `"to":"${ANN}"`, "whatsapp:15550001111@s", "see call_a.b!"])
    expect(isMentioned(text)).toBe(true);
  for (const text of ["115550001111", "155500011112", "call_aXb", ""]) expect(isMentioned(text)).toBe(false);
  expect(mentionFinder([])("anything")).toBe(false);
  expect(mentionFinder([""])("anything")).toBe(false);
});

test("nothing that was made unreadable mentions the number any more, and the rest of a value is as it was", () => {
  const before = {
    a: [`call ${ANN} or 15550001111.`, 15_550_001_111, null, true],
    b: { c: "+155500011119", [ANN]: 1 },
  };
  expect(blotted(before, ANN)).toEqual({
    a: ["call … or ….", 15_550_001_111, null, true],
    b: { c: "+155500011119", [ANN]: 1 },
  });
  fc.assert(
    fc.property(fc.jsonValue(), fc.array(fc.string()), (value, around) => {
      expect(blotted(value, ANN)).toEqual(value);
      const named = around.map((text) => `${text}${ANN}`).join("/");
      expect(mentionFinder([ANN])(blotted(named, ANN))).toBe(false);
    }),
  );
});

test("a value names somebody when a text in it is the name and nothing else", () => {
  expect(isNamed({ to: [{ id: "15550001111" }] }, [ANN])).toBe(true);
  expect(isNamed({ about: ANN }, [ANN])).toBe(true);
  expect(isNamed({ text: `ring ${ANN}` }, [ANN])).toBe(false);
  expect(isNamed({ [ANN]: 1, n: 15_550_001_111, x: null }, [ANN])).toBe(false);
});
