import fc from "fast-check";
import { expect, test } from "vitest";
import { maskArguments } from "../../src/calls/secret-arguments.ts";

test("what is secret is masked, and the rest stays", () => {
  expect(maskArguments('{"code":"123456","why":"door"}', ["code"])).toBe('{"code":"x","why":"door"}');
  expect(maskArguments('{"why":{"code":123456}}', ["code"])).toBe('{"why":{"code":"x"}}');
});

test("a tool without secrets is written down as it was called", () => {
  expect(maskArguments('{ "code": "123456" }', [])).toBe('{ "code": "123456" }');
  expect(maskArguments("{broken", [])).toBe("{broken");
});

test.each(["{broken 123456", '{"code":"123456"', ""])("of %j nothing is written", (json) => {
  expect(maskArguments(json, ["code"])).toBe("{}");
});

test("a secret of any kind is nowhere in what is written", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.dictionary(fc.constantFrom("a", "b"), fc.jsonValue()), (secret, rest) => {
      const written = maskArguments(JSON.stringify({ ...rest, code: ["canary", secret] }), ["code"]);
      expect(written).not.toContain("canary");
      expect(JSON.parse(written)).toEqual({ ...(JSON.parse(JSON.stringify(rest)) as object), code: "x" });
    }),
  );
});
