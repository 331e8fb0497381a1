import fc from "fast-check";
import { expect, test } from "vitest";
import { holdsWords, snippetOf, wordsOf } from "../../src/core/search.ts";

test("words are letters and digits of any script, without accents, capitals and ligatures", () => {
  expect(wordsOf("The Café's  ﬁrst 24-hour DAY")).toEqual(["the", "cafe", "s", "first", "24", "hour", "day"]);
  expect(wordsOf("Straße ÅNGSTRÖM Łódź")).toEqual(["strasse", "angstrom", "łodz"]);
  expect(wordsOf("привет, ΟΔΟΣ")).toEqual(["привет", "οδος"]);
  expect(wordsOf("東京タワー 2階")).toEqual(["東", "京", "タ", "ワ", "ー", "2", "階"]);
  expect(wordsOf("हिन्दी में")).toEqual(["हिन्दी", "में"]);
  expect(wordsOf(' "*(){}:^-+ \u0000 \ud800 ')).toEqual([]);
});

test("words are found again in what was made of them, however it is put", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.string({ unit: "grapheme", maxLength: 60 }),
      (a, b) => {
        const words = wordsOf(`${a} ${b}`);
        expect(wordsOf(words.join(" "))).toEqual(words);
        expect(holdsWords(words, wordsOf(b))).toBe(true);
        // Nothing that separates, quotes or ends a text anywhere is ever part of a word.
        expect(words.join("")).not.toMatch(/[\s"'*:()^\p{Cc}\p{Cs}]/u);
      },
    ),
  );
});

test("every character is found by its own words, also the ẞ, which capitals leave as it is", () => {
  const lost: string[] = [];
  for (let code = 0; code <= 0x10ffff; code++) {
    const words = wordsOf(String.fromCodePoint(code)).join(" ");
    if (wordsOf(words).join(" ") !== words) lost.push(code.toString(16));
  }
  expect(lost).toEqual([]);
});

test("a snippet is one bounded line with the word in it", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc.string({ unit: "binary", maxLength: 300 }),
      (a, b) => {
        const snippet = snippetOf(`${a} needle ${b}`, ["needle"]);
        expect(snippet).toMatch(/needle/i);
        expect(snippet).not.toMatch(/\p{Cc}/u);
        expect(snippet.isWellFormed()).toBe(true);
        expect(snippet.length).toBeLessThan(200);
      },
    ),
  );
  expect(snippetOf("short", ["absent"])).toBe("short");
});
