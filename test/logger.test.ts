import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type JsonLoggerOptions, jsonLogger } from "../src/logger.ts";

const clock = { ...{ after: () => ({ stop() {} }), every: () => ({ stop() {} }) }, now: () => 0 };

function logged(
  options: JsonLoggerOptions,
  fields: Record<string, unknown>,
  message = "something",
): Record<string, unknown> {
  const lines: string[] = [];
  jsonLogger({ ...options, clock, write: (line) => lines.push(line) }).error(message, fields);
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain("\n");
  return JSON.parse(lines[0] ?? "") as Record<string, unknown>;
}

test("a line is one JSON object of time, level, message and fields, which fields cannot fake", () => {
  expect(logged({}, { callId: "call_1", level: "debug", time: 7 })).toEqual({
    time: "1970-01-01T00:00:00.000Z",
    level: "error",
    message: "something",
    callId: "call_1",
  });
});

test("lines below the level are not written", () => {
  const lines: string[] = [];
  const logger = jsonLogger({ level: "warn", clock, write: (line) => lines.push(line) });
  logger.debug("a");
  logger.info("b");
  logger.warn("c");
  logger.error("d");
  expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual(["c", "d"]);
});

describe("secrets", () => {
  test.each([
    "token",
    "authToken",
    "apiKey",
    "api_key",
    "webhookSecret",
    "Authorization",
    "x-twilio-signature",
    "apikey",
  ])("a field named %s never shows, however deep and whatever is allowed", (name) => {
    const line = JSON.stringify(
      logged({ words: true, callerNumbers: true }, { a: [{ [name]: { is: "hush" } }], [name]: "hush" }),
    );
    expect(line).not.toContain("hush");
  });

  test("an address and a count of tokens are no secrets", () => {
    expect(logged({}, { sessionKey: "voice:default", tokens: 12 })).toMatchObject({
      sessionKey: "voice:default",
      tokens: 12,
    });
  });

  test("secrets inside texts and the causes of errors are cut out", () => {
    const error = new Error("refused", {
      cause: new Error("sent Bearer abc.def to https://x.test/?token=hush&a=1, sk-proj-12345678"),
    });
    const line = JSON.stringify(logged({}, { error }));
    expect(line).toContain("refused");
    expect(line).not.toMatch(/abc\.def|hush|12345678/);
  });
});

describe("numbers and words", () => {
  test("telephone numbers are masked in every text, unless they are allowed", () => {
    const fields = {
      from: "+15550005678",
      list: ["sip:%2B15550005678@x", "call +1 (555) 000-5678"],
      sessionKey: "v:+15550005678",
    };
    expect(JSON.stringify(logged({}, fields, "ringing +15550005678"))).not.toMatch(/5550|000-5/);
    expect(logged({ callerNumbers: true }, fields)).toMatchObject(fields);
  });

  test("what was said is left out, unless it is allowed", () => {
    const fields = { entry: { id: "a", text: "my secret plan" }, words: "hello" };
    expect(logged({}, fields)).toMatchObject({ entry: { id: "a" } });
    expect(JSON.stringify(logged({}, fields))).not.toMatch(/plan|hello/);
    expect(logged({ words: true }, fields)).toMatchObject(fields);
  });
});

test("whatever a field holds, a line comes out", () => {
  const circular: Record<string, unknown> = { big: 1n };
  circular["self"] = circular;
  const thrower = {
    get broken(): string {
      throw new Error("no");
    },
  };
  expect(logged({}, circular)).toMatchObject({ big: "1" });
  expect(logged({}, thrower)).toMatchObject({ fieldsUnreadable: "Error: no" });
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.anything()), (fields) => void logged({}, fields)));
});
