import fc from "fast-check";
import { expect, test } from "vitest";
import { apply, type Call, callCostUsd, newCall } from "../../src/core/call.ts";
import { withoutWords } from "../../src/core/redaction.ts";
import { journals } from "../../src/testing/journals.ts";

/** Everything of a call but its words. */
function numbersOf({ transcript, outcome, purpose: _purpose, message: _message, ...rest }: Call): object {
  const turns = transcript.map(({ text: _text, ...facts }) => facts);
  return { ...rest, turns, cost: callCostUsd({ ...rest, transcript }, 0), needsAction: outcome?.needsAction };
}

test("a call without its words has the numbers that it had, and its events their types and times", () => {
  fc.assert(
    fc.property(journals({ maxEvents: 80 }), (events) => {
      const bare = events.map(withoutWords);
      expect(numbersOf(bare.reduce(apply, newCall()))).toEqual(numbersOf(events.reduce(apply, newCall())));
      expect(bare.map(({ type, atMs }) => [type, atMs])).toEqual(events.map(({ type, atMs }) => [type, atMs]));
    }),
  );
});

test("taking words out twice is taking them out once", () => {
  fc.assert(
    fc.property(journals(), (events) => {
      const bare = events.map(withoutWords);
      expect(bare.map(withoutWords)).toEqual(bare);
    }),
  );
});

test("nothing is left of what was said, asked, keyed in, or made of it", () => {
  const word = "zanzibar";
  const entry = { id: "i", speaker: "caller", text: word, startMs: 0, heardMs: 0, cut: false } as const;
  const commitment = { by: "agent", what: word, quote: word, due: word, atMs: 0 } as const;
  const created = {
    type: "call.created",
    atMs: 1,
    callId: "c",
    accountId: "a",
    direction: "outbound",
    from: "+1",
    to: "+2",
    transport: "media-stream",
    purpose: word,
    message: word,
  } as const;
  const bare = [
    created,
    { type: "transcript.added", atMs: 1, entry } as const,
    { type: "tool.called", atMs: 1, toolCallId: "t", name: "n", argumentsJson: `{"a":"${word}"}` } as const,
    { type: "owner.asked", atMs: 1, questionId: "q", question: word } as const,
    { type: "owner.answered", atMs: 1, questionId: "q", by: "text", answer: word } as const,
    { type: "fault.noted", atMs: 1, code: "c", message: word } as const,
    { type: "recording.failed", atMs: 1, recordingId: "r", message: word } as const,
    { type: "context.refreshed", atMs: 1, because: word } as const,
    { type: "dtmf.received", atMs: 1, digit: "7" } as const,
    { type: "dtmf.sent", atMs: 1, digits: "778" } as const,
    {
      type: "outcome.found",
      atMs: 1,
      summary: word,
      outcome: word,
      commitments: [commitment],
      needsAction: true,
      madeBy: "model",
    } as const,
  ].map(withoutWords);
  expect(JSON.stringify(bare)).not.toMatch(/zanzibar|7/);
  expect(bare.find(({ type }) => type === "dtmf.sent")).toMatchObject({ digits: "xxx" });
});
