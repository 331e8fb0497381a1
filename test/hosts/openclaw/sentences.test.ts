import fc from "fast-check";
import { expect, test } from "vitest";
import { readSentences } from "../../../src/hosts/openclaw/sentences.ts";

/** What is handed on when `use` has read. */
function heard(use: (reader: ReturnType<typeof readSentences>) => void): string[] {
  const told: string[] = [];
  use(readSentences((words) => told.push(words)));
  return told;
}

test("a sentence is handed on when the next one has begun, the last one at the end", () => {
  const told: string[] = [];
  const reader = readSentences((words) => told.push(words));
  reader.growing("It costs 3.");
  reader.growing("It costs 3.50 euros.");
  expect(told).toEqual([]);
  reader.growing("It costs 3.50 euros. Shall");
  expect(told).toEqual(["It costs 3.50 euros."]);
  reader.whole("It costs 3.50 euros. Shall I buy it?");
  expect(told).toEqual(["It costs 3.50 euros.", "Shall I buy it?"]);
});

test("however a reply is cut while it grows, each of its words is handed on once and in order", () => {
  const word = fc.stringMatching(/^[a-zA-Z]{1,8}[.!?,]?$/);
  const pieces = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 30 });
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 20 }), pieces, (words, cuts) => {
      const text = words.join(" ");
      const told = heard((reader) => {
        let end = 0;
        for (const cut of cuts) {
          end += cut;
          reader.growing(text.slice(0, end));
        }
        reader.whole(text);
      });
      expect(told.join(" ")).toBe(text);
    }),
  );
});

test("a reply that nobody saw growing is handed on whole, and one that is told twice once", () => {
  const told = heard((reader) => {
    reader.growing("One. Two.");
    reader.next();
    reader.growing("Three.");
    reader.whole("One. Two.");
    reader.whole("Three.");
    reader.whole("Three.");
    reader.whole("Four.");
  });
  expect(told).toEqual(["One.", "Two.", "Three.", "Four."]);
});

test("what the host has to say itself is never handed on, however it comes", () => {
  const told = heard((reader) => {
    reader.growing("⚠️ Agent run failed. Please try");
    reader.next();
    reader.whole("⚠️ Agent run failed. Please try again.");
    reader.whole("Your pairing code: ABCD. Run openclaw pairing approve voice ABCD.");
  });
  expect(told).toEqual([]);
});

test("a text that is rewritten behind what was spoken is not spoken again", () => {
  const told = heard((reader) => {
    reader.growing("It rains. It");
    reader.growing("It snows. It is cold. Very");
    reader.whole("It rains. It pours.");
  });
  expect(told).toEqual(["It rains.", "It pours."]);
});
