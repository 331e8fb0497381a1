import fc from "fast-check";
import { expect, test } from "vitest";
import { dtmfSequence } from "../../src/audio/dtmf.ts";
import { instruct, say, sendDigits } from "../../src/calls/in-call.ts";
import type { LiveCall } from "../../src/calls/live-calls.ts";
import { CallOverError, InvalidRequestError } from "../../src/core/errors.ts";

/** A live call that writes down what it is told to do; one that is not `ready` has no sound yet. */
function live({ ready = true, sendsDigits = true } = {}) {
  const done: unknown[][] = [];
  const verb =
    (name: string) =>
    (...args: unknown[]) => {
      if (ready) done.push([name, ...args]);
      return ready;
    };
  const conversation = { say: verb("say"), sendDigits: verb("sendDigits"), instruct: verb("instruct") };
  const call = { id: "call_1", account: { carrier: { capabilities: { sendsDigits } } }, conversation };
  return { call: call as unknown as LiveCall, done };
}

test("what is asked for in a call reaches its conversation as it is", () => {
  const { call, done } = live();
  say(call, " Hello. ");
  sendDigits(call, "1w2,#AD", { durationMs: 50 });
  sendDigits(call, "5", {});
  instruct(call, "Be brief.", true);
  expect(done).toEqual([
    ["say", " Hello. "],
    ["sendDigits", "1w2,#AD", { durationMs: 50 }],
    ["sendDigits", "5", {}],
    ["instruct", "Be brief.", true],
  ]);
});

test.each([
  ["", {}, "digits: must be keys"],
  ["w,w", {}, "digits: must be keys"],
  ["12x", {}, "digits: must be keys"],
  ["1 2", {}, "digits: must be keys"],
  ["+15550001111", {}, "digits: must be keys"],
  ["1".repeat(33), {}, "digits: may have 32 keys at most"],
  ["1", { durationMs: 49 }, "durationMs: must be 50 to 500"],
  ["1", { durationMs: 501 }, "durationMs: must be 50 to 500"],
  ["1", { durationMs: Number.NaN }, "durationMs: must be 50 to 500"],
])("case 37: keys that cannot be sent are refused, none of them is dropped: %j %j", (digits, timing, message) => {
  const { call, done } = live();
  expect(() => sendDigits(call, digits, timing)).toThrow(InvalidRequestError);
  expect(() => sendDigits(call, digits, timing)).toThrow(message);
  expect(done).toEqual([]);
});

test("case 37: a carrier that cannot send keys refuses them", () => {
  const { call, done } = live({ sendsDigits: false });
  expect(() => sendDigits(call, "1", {})).toThrow("the carrier of this call cannot send keys");
  expect(done).toEqual([]);
});

test("case 37: whatever is not refused can be sounded, and only that", () => {
  const texts = fc.string({ unit: fc.constantFrom(..."0123456789*#ABCDw,aW +x"), maxLength: 40 });
  fc.assert(
    fc.property(texts, fc.integer({ min: 0, max: 600 }), (digits, durationMs) => {
      const { call, done } = live();
      let refused = false;
      try {
        sendDigits(call, digits, { durationMs });
      } catch {
        refused = true;
      }
      expect(done).toHaveLength(refused ? 0 : 1);
      if (!refused) expect(dtmfSequence(digits, { durationMs }).length).toBeGreaterThan(0);
      const sendable = /^[0-9*#A-Dw,]*[0-9*#A-D][0-9*#A-Dw,]*$/.test(digits) && digits.length <= 32;
      expect(refused).toBe(!(sendable && durationMs >= 50 && durationMs <= 500));
    }),
  );
});

test("a call without sound says so, and nothing counts as done", () => {
  const { call } = live({ ready: false });
  expect(() => say(call, "Hello.")).toThrow(CallOverError);
  expect(() => sendDigits(call, "1", {})).toThrow(CallOverError);
  expect(() => instruct(call, "Be brief.", false)).toThrow(CallOverError);
});

test("empty words are neither said nor an instruction", () => {
  const { call, done } = live();
  expect(() => say(call, " ")).toThrow(InvalidRequestError);
  expect(() => instruct(call, "\n", false)).toThrow(InvalidRequestError);
  expect(done).toEqual([]);
});
