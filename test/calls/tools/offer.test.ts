import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BUILT_IN_TOOLS, offeredTools, requireTools } from "../../../src/calls/tools/offer.ts";
import type { VoiceTool } from "../../../src/calls/tools.ts";
import { mayUse } from "../../../src/core/trust.ts";

const good: VoiceTool = {
  name: "book",
  description: "Books.",
  parameters: { type: "object" },
  execute: async () => "",
};
const handedIn = (...tools: unknown[]) => requireTools(tools as VoiceTool[]);

describe("case 35: a tool that nobody could carry out stops the start", () => {
  test.each<[string, unknown, RegExp]>([
    ["has no handler", { ...good, execute: undefined }, /^tools\[1\]: "book" has no handler/],
    ["has no name", { ...good, name: undefined }, /^tools\[1\]: the name undefined/],
    ["has a name with a space", { ...good, name: "book it" }, /the name "book it" is not 1 to 64 letters/],
    ["has a name that is too long", { ...good, name: "b".repeat(65) }, /is not 1 to 64 letters/],
    ["has the name of another", { ...good, name: "other" }, /there is another tool "other"/],
    ["has the name of a built-in one", { ...good, name: "ask_openclaw" }, /"ask_openclaw" is the name of a built-in/],
    ["says nothing of itself", { ...good, description: " " }, /"book" has no description/],
    ["has a list of parameters", { ...good, parameters: [] }, /"book" has no parameters/],
    ["may take too long", { ...good, timeoutMs: 60_001 }, /timeoutMs must be above 0 and at most 60000/],
    ["has no time", { ...good, timeoutMs: 0 }, /timeoutMs/],
    ["may never run", { ...good, maxCalls: 0 }, /maxCalls/],
    ["is nothing", null, /^tools\[1\]: the name undefined/],
  ])("as it %s", (_what, tool, words) => {
    expect(() => handedIn({ ...good, name: "other" }, tool)).toThrow(words);
  });

  test("and whole ones pass", () => {
    expect(() => handedIn(good, { ...good, name: "other", timeoutMs: 60_000, maxCalls: 1 })).not.toThrow();
    expect(() => handedIn()).not.toThrow();
  });

  test("no built-in name may be taken", () => {
    for (const name of BUILT_IN_TOOLS) expect(() => handedIn({ ...good, name })).toThrow(`"${name}"`);
  });
});

test("a caller is offered what their trust allows and nothing else", () => {
  const trusts = fc.constantFrom("stranger" as const, "known" as const, "owner" as const);
  fc.assert(
    fc.property(trusts, fc.array(fc.option(trusts, { nil: undefined })), (trust, needs) => {
      const tools = needs.map((need, index) => ({ ...good, name: `tool_${index}`, ...(need && { trust: need }) }));
      const offered = offeredTools(tools, trust);
      for (const tool of tools) expect(offered.includes(tool)).toBe(mayUse(trust, tool.trust ?? "known"));
    }),
  );
});
