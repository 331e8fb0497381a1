import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Call, newCall } from "../../src/core/call.ts";
import { proposeLink } from "../../src/core/links.ts";

const ann = { name: "ann", addresses: [{ channel: "telegram", to: "777" }] };
const jose = { name: "José María", addresses: [] };

function call(said: readonly string[], changes: Partial<Call> = {}): Call {
  const transcript = said.map((turn, at) => {
    const agent = turn.startsWith("agent: ");
    const text = agent ? turn.slice(7) : turn;
    const speaker = agent ? ("agent" as const) : ("caller" as const);
    return { id: `${at}`, speaker, text, startMs: at, heardMs: 1, cut: false };
  });
  return { ...newCall(), id: "call_1", from: "+15550005678", answeredAtMs: 1, transcript, ...changes };
}

describe("a reason to ask whose number it is", () => {
  test.each([
    "Hi, this is Ann.",
    "It's Ann Smith from next door",
    "Hello, my name is ANN!",
    "Ann speaking.",
    "Yes, Ann here, I have a question",
    "Ann.",
    "Guten Tag, hier ist Ann",
  ])("the caller says: %s", (said) => {
    expect(proposeLink(call(["agent: Who is it?", said]), [ann, jose])).toEqual({ principal: ann, because: said });
  });

  test("names of several words and other letters are found", () => {
    expect(proposeLink(call(["Hola, soy José María."]), [ann, jose])?.principal).toBe(jose);
    expect(proposeLink(call(["Hola, soy Jose\u0301 Mari\u0301a."]), [ann, jose])?.principal).toBe(jose);
    expect(proposeLink(call(["Hola, soy José."]), [ann, jose])).toBeUndefined();
  });

  test.each(["Ann called about her flight.", "The caller is Ann, who asks for a window seat.", "Ann is the caller."])(
    "the outcome says: %s",
    (summary) => {
      const outcome = { summary, outcome: "Done.", commitments: [], needsAction: false, madeBy: "model" as const };
      expect(proposeLink(call(["My flight moved."], { outcome }), [ann])).toEqual({ principal: ann, because: summary });
    },
  );
});

describe("no reason", () => {
  test.each([
    ["somebody else is spoken of", ["Please tell Ann that I called."]],
    ["it is denied", ["No, this is not Ann."]],
    ["a relative calls", ["I'm Ann's brother."]],
    ["it is asked", ["Ann?"]],
    ["the agent says it", ["agent: This is Ann."]],
    ["a longer name begins so", ["This is Annabel."]],
    ["nobody says anything", []],
  ])("%s", (_, said) => {
    expect(proposeLink(call(said), [ann])).toBeUndefined();
  });

  test.each<[string, Partial<Call>]>([
    ["the host knows whose number it is", { principal: "bob" }],
    ["the call was not answered", { answeredAtMs: 0 }],
    ["the number is hidden", { from: "anonymous" }],
  ])("%s", (_, { answeredAtMs, ...changes }) => {
    const { answeredAtMs: was, ...rest } = call(["This is Ann."], changes);
    expect(proposeLink({ ...rest, ...(answeredAtMs !== 0 && { answeredAtMs: was as number }) }, [ann])).toBeUndefined();
  });

  test("it may be two people", () => {
    const said = ["This is Ann.", "And I am Bob."];
    expect(proposeLink(call(said), [ann, { name: "Bob", addresses: [] }])).toBeUndefined();
  });
});

test("whoever is proposed was named on the call, whatever was said", () => {
  const word = fc.oneof(fc.constantFrom("this is", "I am", "ann", "Ann", "speaking", "called", "?", "."), fc.string());
  fc.assert(
    fc.property(fc.array(fc.array(word).map((words) => words.join(" "))), (said) => {
      const proposed = proposeLink(call(said), [ann]);
      if (proposed) expect(proposed.because).toMatch(/ann/i);
    }),
  );
});
