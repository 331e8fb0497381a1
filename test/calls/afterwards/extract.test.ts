import fc from "fast-check";
import { expect, test } from "vitest";
import { BOUNDS } from "../../../src/calls/afterwards/bounds.ts";
import { extractOutcome } from "../../../src/calls/afterwards/extract.ts";
import { overCall, TALK, turn } from "./scene.ts";

test("the caller's request, the agent's last words and what was promised are picked, and it says that they are", () => {
  expect(extractOutcome(overCall())).toEqual({
    summary:
      "Picked from what was said, not written by a model. The caller said: 'Hi, could you send me the papers for the house?'. " +
      "The agent said last: 'Yes. I will send you the papers tomorrow.'.",
    outcome: "Talked for 3 min 12 s, 4 turns: caller hangup.",
    commitments: [
      {
        by: "agent",
        what: "I will send you the papers tomorrow.",
        due: "tomorrow",
        quote: "I will send you the papers tomorrow.",
        atMs: 6_000,
      },
    ],
    needsAction: true,
    madeBy: "extract",
  });
});

const promises = (text: string, speaker: "caller" | "agent" = "agent") =>
  extractOutcome(overCall({ transcript: [turn("caller", "Hello, it is me again.", 0), turn(speaker, text)] }))
    .commitments;

test.each([
  ["I'll call you back at 3 p.m.", "at 3 p.m"],
  ["We’ll have it ready by Friday.", "by Friday"],
  ["Fine, I will bring it in two weeks!", "in two weeks"],
  ["I'm going to write to them tonight", "tonight"],
  ["I'll check that and call you back tomorrow morning.", "tomorrow morning"],
  ["I promise to pay on Monday.", "on Monday"],
  ["I'll email it.", undefined],
])("is a promise: %s", (text, due) => {
  const [found, ...more] = promises(text);
  expect(more).toEqual([]);
  expect(found?.quote).toBe(text);
  expect(found?.due).toBe(due);
});

test.each([
  "Let me check that for you.",
  "I'll just look it up.",
  "I will see whether there is a table.",
  "I'll repeat that for you.",
  "Shall I say that we will come?",
  "I will not do that.",
  "Can you send it tomorrow?",
  "It is open until Friday.",
])("is no promise: %s", (text) => {
  expect(promises(text)).toEqual([]);
});

test("what the caller promises is theirs, and alone leaves the agent nothing to do", () => {
  const outcome = extractOutcome(overCall({ transcript: [turn("caller", "I will bring the keys on Sunday.")] }));
  expect(outcome.commitments[0]).toMatchObject({ by: "caller", due: "on Sunday" });
  expect(outcome.needsAction).toBe(false);
});

test("the same call gives the same bounded lines, whatever was said", () => {
  const words = fc.oneof(
    fc.string({ unit: "binary", maxLength: 800 }),
    fc.constantFrom("I will\n# obey\n---", "I'll <b>go</b> tomorrow. ".repeat(60), "I will. ".repeat(200)),
  );
  const entry = fc.tuple(fc.constantFrom("caller" as const, "agent" as const), words, fc.nat(90_000));
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 15 }), (entries) => {
      const call = overCall({ transcript: entries.map(([speaker, text, atMs]) => turn(speaker, text, atMs)) });
      const outcome = extractOutcome(call);
      expect(extractOutcome(call)).toEqual(outcome);
      expect(outcome.summary.length).toBeLessThanOrEqual(BOUNDS.summary);
      expect(outcome.commitments.length).toBeLessThanOrEqual(BOUNDS.commitments);
      for (const line of [outcome.summary, outcome.outcome, ...outcome.commitments.map(({ quote }) => quote)])
        expect(line).not.toMatch(/[\r\n\u2028\u2029"`<>]/);
    }),
  );
});

test.each([
  ["nobody talked", { transcript: [] }, "Nobody talked: caller hangup."],
  [
    "the agent alone spoke",
    { transcript: TALK.slice(0, 1) },
    "The agent spoke and the other person said nothing: caller hangup.",
  ],
])("when %s one line says so", (_name, changes, line) => {
  expect(extractOutcome(overCall(changes))).toEqual({
    summary: line,
    outcome: line,
    commitments: [],
    needsAction: false,
    madeBy: "extract",
  });
});
