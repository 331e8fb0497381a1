import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fill, type Source, type Tokenizer } from "../../../src/calls/context/fill.ts";
import { remembering } from "../../../src/calls/context/tokenizer.ts";

/** A token is a word. */
const countWords: Tokenizer["count"] = (text, limit) => {
  const words = text.split(/\s+/).filter(Boolean).length;
  return words <= limit ? words : undefined;
};
const words: Tokenizer = { count: countWords, countSection: countWords };

function source(name: string, sections: number, share: number): Source {
  return { name, share, sections: Array.from({ length: sections }, (_, n) => `${name}${n} two three`), beyondBytes: 0 };
}

const tokensOf = (sources: readonly Source[], budget: number) =>
  Object.fromEntries(fill(sources, budget, words).used.map(({ source, tokens }) => [source, tokens]));

describe("shares of the budget", () => {
  test("however large one source is, each other gets what it wants or its share, short of one section", () => {
    const plan = fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(plan, fc.integer({ min: 50, max: 800 }), (sizes, budget) => {
        const share = 1 / sizes.length;
        const sources = sizes.map((size, n) => source(`s${n}x`, size, share));
        const tokens = tokensOf(sources, budget);
        for (const [n, size] of sizes.entries()) {
          expect(tokens[`s${n}x`] ?? 0).toBeGreaterThanOrEqual(Math.min(size * 4, Math.floor(budget * share) - 3));
        }
      }),
    );
  });

  test("nothing is left over while a section that comes next would still fit", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 6 }), (sizes) => {
        const budget = 200;
        const sources = sizes.map((size, n) => source(`s${n}x`, size, 1 / sizes.length));
        const used = Object.values(tokensOf(sources, budget)).reduce((sum, tokens) => sum + tokens, 0);
        const wanted = sizes.reduce((sum, size) => sum + size * 4, 0);
        expect(used).toBeGreaterThanOrEqual(Math.min(wanted, budget - 3));
      }),
    );
  });

  test("what is saved goes on to the next sources before it goes back to the first", () => {
    expect(tokensOf([source("a", 50, 0.4), source("b", 1, 0.4), source("c", 50, 0.2)], 100)).toEqual({
      a: 40,
      b: 4,
      c: 56,
    });
  });

  test("the text keeps the order of the sources, whoever got what others left", () => {
    const { instructions } = fill([source("a", 50, 0.4), source("b", 1, 0.4), source("c", 3, 0.2)], 100, words);
    expect(instructions.replace(/\d+ two three/g, "").replace(/\s+/g, "")).toMatch(/^a+bccc$/);
  });
});

describe("counts that are remembered", () => {
  test("are those that are counted anew, whatever was asked before and however little is kept", () => {
    const text = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 6 }).map((list) => list.join(" "));
    const asked = fc.array(fc.tuple(text, fc.nat({ max: 8 })), { maxLength: 40 });
    fc.assert(
      fc.property(asked, fc.nat({ max: 60 }), (questions, kept) => {
        const count = remembering(countWords, kept);
        for (const [one, limit] of questions) expect(count(one, limit)).toBe(countWords(one, limit));
      }),
    );
  });

  test("a text is counted once, and again only where the limit that it exceeded has grown", () => {
    const limits: number[] = [];
    const count = remembering((text, limit) => {
      limits.push(limit);
      return countWords(text, limit);
    }, 1_000);
    for (const limit of [2, 1, 2, 5, 9, 3]) count("one two three four", limit);
    expect(limits).toEqual([2, 5]);
  });

  test("what was not asked for longest is forgotten first", () => {
    const counted: string[] = [];
    const count = remembering((text) => {
      counted.push(text);
      return 1;
    }, 8);
    for (const text of ["aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb"]) count(text, 5);
    expect(counted).toEqual(["aaaa", "bbbb", "cccc", "bbbb"]);
  });
});
