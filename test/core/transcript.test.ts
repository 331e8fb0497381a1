import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { heardText, type TranscriptEntry, withEntry } from "../../src/core/transcript.ts";

const entries = (): fc.Arbitrary<TranscriptEntry[]> =>
  fc.uniqueArray(
    fc.record({
      id: fc.stringMatching(/^item_[a-z0-9]{4}$/),
      speaker: fc.constantFrom("caller", "agent"),
      text: fc.string({ maxLength: 20 }),
      startMs: fc.nat(50), // few, so that turns start together
      heardMs: fc.nat(50),
      cut: fc.boolean(),
    }),
    { selector: ({ id }) => id, maxLength: 12 },
  );
const build = (arrivals: readonly TranscriptEntry[]): readonly TranscriptEntry[] =>
  arrivals.reduce<readonly TranscriptEntry[]>(withEntry, []);

describe("a transcript's order", () => {
  test("is by when the turns began, whatever order they arrive in", () => {
    const shuffled = entries().chain((all) => fc.shuffledSubarray(all, { minLength: all.length }));
    fc.assert(
      fc.property(shuffled, (arrivals) => {
        const transcript = build(arrivals);
        expect(transcript).toHaveLength(arrivals.length);
        expect(transcript).toEqual(arrivals.toSorted((a, b) => a.startMs - b.startMs));
      }),
    );
  });

  test("puts the caller's words, which are transcribed late, before the reply to them", () => {
    const turn = (id: string, startMs: number): TranscriptEntry => ({
      id,
      speaker: "caller",
      text: id,
      startMs,
      heardMs: 500,
      cut: false,
    });
    expect(build([turn("reply", 3_000), turn("question", 1_000)]).map(({ id }) => id)).toEqual(["question", "reply"]);
  });

  test("holds each turn once: what comes again with the same id replaces it, and moves with its new start", () => {
    fc.assert(
      fc.property(entries(), fc.nat(), fc.nat(50), (all, pick, startMs) => {
        const old = all[pick % Math.max(1, all.length)];
        fc.pre(old !== undefined);
        const changed = { ...old, text: "corrected", startMs };
        const before = build(all);
        const after = withEntry(before, changed);
        expect(after.filter(({ id }) => id === old.id)).toEqual([changed]);
        expect(after).toHaveLength(before.length);
        expect(after.map((entry) => entry.startMs)).toEqual(
          after.map((entry) => entry.startMs).toSorted((a, b) => a - b),
        );
        expect(before).toEqual(build(all));
      }),
    );
  });
});

describe("the words that were heard", () => {
  const sentence = fc.string({ unit: fc.constantFrom("a", "é", "語", "😀", "-", ".", " ", " ", "\n"), maxLength: 60 });
  const ms = (): fc.Arbitrary<number> => fc.integer({ min: -100, max: 5_000 });

  test("are a beginning of the text, cut between words", () => {
    fc.assert(
      fc.property(sentence, ms(), ms(), (text, heardMs, producedMs) => {
        const heard = heardText(text, heardMs, producedMs);
        expect(text.startsWith(heard)).toBe(true);
        if (heard === "" || heard === text) return;
        expect(heard).toMatch(/\S$/);
        expect(text.slice(heard.length)).toMatch(/^(\s|$)/);
      }),
    );
  });

  test("never become fewer the more is heard", () => {
    fc.assert(
      fc.property(sentence, ms(), ms(), ms(), (text, a, b, producedMs) => {
        const less = heardText(text, Math.min(a, b), producedMs);
        const more = heardText(text, Math.max(a, b), producedMs);
        expect(more.startsWith(less)).toBe(true);
      }),
    );
  });

  test("are all of them when all was heard, and none when nothing was", () => {
    fc.assert(
      fc.property(sentence, fc.integer({ min: 1, max: 5_000 }), fc.nat(100), (text, producedMs, more) => {
        expect(heardText(text, producedMs + more, producedMs)).toBe(text);
        expect(heardText(text, -more, producedMs)).toBe("");
      }),
    );
    expect(heardText("never produced", 500, 0)).toBe("");
  });

  test("include a word when at least half of its time was heard", () => {
    const text = "abcd efgh"; // 9 characters in 900 ms: the second word lasts from 500 to 900 ms
    expect(heardText(text, 199, 900)).toBe("");
    expect(heardText(text, 200, 900)).toBe("abcd");
    expect(heardText(text, 699, 900)).toBe("abcd");
    expect(heardText(text, 700, 900)).toBe("abcd efgh");
  });
});
