import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  answerQuestion,
  buttonValue,
  expireQuestion,
  type GivenAnswer,
  isAskedOf,
  type Question,
  readButtonValue,
} from "../../src/core/questions.ts";

const open: Question = {
  id: "abcDEF_-12",
  accountId: "default",
  kind: "ask",
  address: { channel: "telegram", to: "555" },
  sent: true,
  text: "Move to 3 pm?",
  options: ["Yes", "No"],
  askedAtMs: 1_000,
  expiresAtMs: 5_000,
  state: "open",
  done: false,
};

const givens = (): fc.Arbitrary<GivenAnswer> =>
  fc.oneof(
    fc.record({ how: fc.constant("button" as const), option: fc.integer({ min: 0, max: 9 }) }),
    fc.record({ how: fc.constant("text" as const), text: fc.oneof(fc.string(), fc.constantFrom("yes", " No. ", "")) }),
  );
const kinds = fc.constantFrom("ask" as const, "link" as const, "card" as const);

describe("answers, in any order and multiplicity", () => {
  test("exactly the first one that fits and is in time is the answer", () => {
    fc.assert(
      fc.property(kinds, fc.array(fc.tuple(givens(), fc.nat(8_000)), { maxLength: 12 }), (kind, tries) => {
        let question: Question = { ...open, kind };
        const effective: Question[] = [];
        const inOrder = tries.toSorted(([, a], [, b]) => a - b);
        for (const [given, atMs] of inOrder) {
          const { result, ...rest } = answerQuestion(question, given, atMs);
          if ("question" in rest) {
            expect(atMs).toBeLessThan(open.expiresAtMs);
            effective.push(rest.question);
            question = rest.question;
          } else {
            question = expireQuestion(question, atMs);
          }
          expect(result === "repeated").toBe(effective.length > 0 && !("question" in rest));
        }
        const fits = inOrder.filter(([given, atMs]) => {
          return answerQuestion({ ...open, kind }, given, atMs).result === "answered";
        });
        expect(effective).toHaveLength(fits.length > 0 ? 1 : 0);
        if (fits[0]) {
          const [given, atMs] = fits[0];
          expect(answerQuestion({ ...open, kind }, given, atMs)).toEqual({
            result: "answered",
            question: effective[0],
          });
        }
      }),
    );
  });

  test("an answer is a label of a button, or bounded words where words are asked for", () => {
    fc.assert(
      fc.property(kinds, fc.oneof(givens(), fc.string({ minLength: 400, maxLength: 700 }).map(text)), (kind, given) => {
        const decided = answerQuestion({ ...open, kind }, given, 2_000);
        if (decided.result !== "answered") return;
        const { answer, option } = decided.question;
        expect(answer.length).toBeGreaterThan(0);
        expect(answer.length).toBeLessThanOrEqual(500);
        if (option !== undefined) expect(answer).toBe(open.options[option]);
        else expect([kind, given.how]).toEqual(["ask", "text"]);
      }),
    );
  });

  test.each([
    ["yes", 0],
    [" NO. ", 1],
  ])("the words %j are the button of that label", (words, option) => {
    const decided = answerQuestion({ ...open, kind: "link" }, text(words), 2_000);
    expect(decided).toMatchObject({
      result: "answered",
      question: { option, answer: open.options[option], by: "text" },
    });
  });

  test("words that are no button answer only who asked for words", () => {
    expect(answerQuestion({ ...open, kind: "link" }, text("Who is that?"), 2_000)).toEqual({ result: "unfit" });
    expect(answerQuestion({ ...open, kind: "card" }, text("Later"), 2_000)).toEqual({ result: "unfit" });
    expect(answerQuestion(open, text("At four, please"), 2_000)).toMatchObject({
      question: { answer: "At four, please", by: "text", state: "answered" },
    });
  });

  test("at the moment it expires it is too late", () => {
    expect(answerQuestion(open, { how: "button", option: 0 }, 4_999).result).toBe("answered");
    expect(answerQuestion(open, { how: "button", option: 0 }, 5_000)).toEqual({ result: "late" });
    expect(expireQuestion(open, 4_999)).toBe(open);
    expect(expireQuestion(open, 5_000).state).toBe("expired");
    const answered: Question = { ...open, state: "answered" };
    expect(expireQuestion(answered, 9_000)).toBe(answered);
  });
});

test("a button's value is read back, is ASCII within 40 bytes, and nothing else is one of ours", () => {
  const ids = fc.stringMatching(/^[\w-]{1,10}$/);
  fc.assert(
    fc.property(ids, fc.nat(9), (id, option) => {
      const value = buttonValue(id, option);
      expect(Buffer.byteLength(value)).toBeLessThanOrEqual(14);
      expect(readButtonValue(value)).toEqual({ id, option });
    }),
  );
  for (const other of ["q:abc", "q:abc:x", "q:abc:10", "xq:abc:1", "q:abcdefghijk:1", "q:a b:1", "vsq:abc:yes", ""]) {
    expect(readButtonValue(other), other).toBeUndefined();
  }
});

test.each([
  ["telegram", "555", true],
  ["Telegram", "telegram:555", true],
  ["telegram", "user:555", true],
  ["telegram", "556", false],
  ["discord", "555", false],
  ["telegram", "discord:555", false],
  ["telegram", "", false],
])("whether %s %s is who was asked: %s", (channel, from, asked) => {
  expect(isAskedOf(open, { channel, from })).toBe(asked);
});

// --- Internal helpers ---

function text(words: string): GivenAnswer {
  return { how: "text", text: words };
}
