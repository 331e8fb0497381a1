import fc from "fast-check";
import { expect, test } from "vitest";
import { Conversation } from "../../../src/calls/conversation.ts";
import { TappedConversation } from "../../../src/calls/flight/conversation.ts";
import { replayFlight } from "../../../src/calls/flight/replay.ts";
import { CALLER, type Event, SECRET_WORDS, shortCall } from "./short-call.ts";
import { tamperings } from "./tampering.ts";

/** Of the calls of the property: few enough to be quick. */
const RUNS = 60;

const text = fc.constantFrom(SECRET_WORDS, "mhm", "yeah, okay.", "[laughter]", " ", "Stop, please, I want nothing.");
const event = (): fc.Arbitrary<Event> =>
  fc.oneof(
    fc.record({ do: fc.constant("frames" as const), count: fc.integer({ min: 1, max: 60 }), loud: fc.boolean() }),
    fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(7, 40, 500, 3_000, 20_000) }),
    fc.record({ do: fc.constant("speech" as const), words: text, written: fc.boolean() }),
    fc.record({ do: fc.constant("answer" as const), words: text, bytes: fc.constantFrom(1, 777, 16_000, 40_003) }),
    fc.record({
      do: fc.constant("tool" as const),
      name: fc.constantFrom("add", "slow", "fail", "none"),
      argumentsJson: fc.constantFrom("", "{}", '{"card":"4242"}', "[1]", "{broken"),
    }),
    fc.record({ do: fc.constant("key" as const), digit: fc.constantFrom("0", "4", "#", "*") }),
    fc.record({ do: fc.constantFrom("say" as const, "instruct" as const), text }),
    fc.record({ do: fc.constant("send-keys" as const), digits: fc.constantFrom("4242", "1w2#") }),
    fc.record({
      do: fc.constantFrom(
        ...(["collect", "marks", "marks", "leave", "update", "last-words", "stall", "strange"] as const),
      ),
    }),
    fc.record({ do: fc.constant("lose" as const), refused: fc.boolean() }),
  );
const events = () => fc.array(event(), { minLength: 1, maxLength: 25 });
const options = () => fc.record({ turns: fc.constantFrom("ours" as const, "server" as const), killed: fc.boolean() });

test("a call is replayed as it was decided, whatever happened on it", async () => {
  await fc.assert(
    fc.asyncProperty(events(), options(), async (happened, how) => {
      const { flight } = await shortCall(happened, how);
      const report = await replayFlight(flight);
      expect(report.divergence).toBeUndefined();
      expect(report.complete).toBe(!how.killed);
    }),
    { numRuns: RUNS },
  );
});

test("whatever came in and is dropped, swapped or altered is reported where it is", async () => {
  await fc.assert(
    fc.asyncProperty(events(), fc.integer(), async (happened, seed) => {
      const { flight } = await shortCall(happened);
      for (const { items, at, what } of tamperings(flight.items, 3, seed)) {
        const { divergence } = await replayFlight({ ...flight, items });
        const item = divergence?.item ?? -1;
        expect(item >= at.from && item <= at.until, `${what}, reported at ${item}`).toBe(true);
      }
    }),
    { numRuns: RUNS },
  );
});

test("a record holds no word, number, key or argument of anybody", async () => {
  const { bytes } = await shortCall([
    { do: "speech", words: SECRET_WORDS, written: true },
    { do: "answer", words: SECRET_WORDS, bytes: 16_000 },
    { do: "say", text: SECRET_WORDS },
    { do: "instruct", text: SECRET_WORDS },
    { do: "strange" },
    { do: "update" },
    { do: "send-keys", digits: "4242" },
    { do: "key", digit: "4" },
    { do: "tool", name: "add", argumentsJson: JSON.stringify({ card: "4242", words: SECRET_WORDS }) },
    { do: "pass", ms: 3_000 },
  ]);
  const written = bytes.toString("latin1");
  for (const secret of ["card", "four two", "4242", CALLER.slice(1)]) expect(written).not.toContain(secret);
  expect(written).toContain("notes dtmf.received"); // it is a record
});

test("whatever a conversation can be asked for is recorded", () => {
  const verbs = (kind: { readonly prototype: object }) =>
    Object.getOwnPropertyNames(kind.prototype).filter((name) => name !== "constructor");
  const onlyLookedAt = ["hasMedia"];
  expect(verbs(TappedConversation).sort()).toEqual(
    verbs(Conversation)
      .filter((name) => !onlyLookedAt.includes(name))
      .sort(),
  );
});
