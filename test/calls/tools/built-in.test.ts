import { describe, expect, test } from "vitest";
import {
  endCallTool,
  type LeftMessage,
  lookUpMemoryTool,
  rememberTool,
  takeMessageTool,
} from "../../../src/calls/tools/built-in.ts";
import { callMeBackTool } from "../../../src/calls/tools/call-me-back.ts";
import { BUILT_IN_TOOLS, requireTools } from "../../../src/calls/tools/offer.ts";
import type { ToolContext, VoiceTool } from "../../../src/calls/tools.ts";
import type { Trust } from "../../../src/core/events.ts";

const context: ToolContext = {
  ...{ callId: "call_1", accountId: "default", caller: "+15550005678", trust: "known", transcript: [] },
  signal: new AbortController().signal,
};
const use = (tool: VoiceTool, args: object = {}) => tool.execute(args as Record<string, unknown>, context);

const NOW = Date.parse("2026-03-01T12:00:00Z");
const back = (wishes: object[] = [], outcome: "scheduled" | "too-many" = "scheduled") =>
  callMeBackTool({
    clock: { now: () => NOW },
    async schedule(wish) {
      wishes.push(wish);
      return outcome;
    },
    say: (atMs) => new Date(atMs).toISOString(),
  });

test.each<[VoiceTool, Trust]>([
  [endCallTool(() => {}), "stranger"],
  [takeMessageTool(async () => {}), "stranger"],
  [rememberTool(async () => {}), "known"],
  [back(), "known"],
  [lookUpMemoryTool(async () => ""), "owner"],
])("case 35: each built-in tool is whole, has a name of its own, and says whom it is for", (tool, trust) => {
  expect(BUILT_IN_TOOLS).toContain(tool.name);
  expect(tool.trust ?? "known").toBe(trust);
  expect(() => requireTools([{ ...tool, name: `my_${tool.name}` }])).not.toThrow();
});

test("the call is left by the tool, which leaves the goodbye to be heard", async () => {
  let left = 0;
  expect(await use(endCallTool(() => void left++))).toContain("has been heard");
  expect(left).toBe(1);
});

test("what is to be remembered is handed on as it was said", async () => {
  const kept: string[] = [];
  const tool = rememberTool(async (text) => void kept.push(text));
  expect(await use(tool, { text: " I prefer the window. " })).toBe("It is remembered.");
  expect(kept).toEqual(["I prefer the window."]);
  expect(tool.maxCalls).toBe(10);
});

test.each<[string, (count: () => void) => VoiceTool, string, number]>([
  ["remember_this", (count) => rememberTool(async () => count()), "text", 500],
  ["look_up_memory", (count) => lookUpMemoryTool(() => Promise.resolve("").finally(count)), "query", 200],
  ["take_message", (count) => takeMessageTool(async () => count()), "text", 1_000],
])("%s takes words, not nothing and not too many", async (_name, make, field, most) => {
  let taken = 0;
  const tool = make(() => void taken++);
  for (const args of [{}, { [field]: "  " }, { [field]: 7 }]) await expect(use(tool, args)).rejects.toThrow("must say");
  await expect(use(tool, { [field]: "a".repeat(most + 1) })).rejects.toThrow(`longer than ${most}`);
  expect(taken).toBe(0);
  await use(tool, { [field]: "a".repeat(most) });
  expect(taken).toBe(1);
});

test("notes come back within bounds, and that there are none is said", async () => {
  expect(
    await use(
      lookUpMemoryTool(async () => ""),
      { query: "flight" },
    ),
  ).toContain("Nothing");
  expect(
    await use(
      lookUpMemoryTool(async () => "a".repeat(3_000)),
      { query: "flight" },
    ),
  ).toHaveLength(2_000);
});

test("a message is taken with whom it is for, if that was said", async () => {
  const taken: LeftMessage[] = [];
  const tool = takeMessageTool(async (message) => void taken.push(message));
  await use(tool, { text: "Ring me.", for: "Ann" });
  await use(tool, { text: "Ring me.", for: " " });
  expect(taken).toEqual([{ text: "Ring me.", for: "Ann" }, { text: "Ring me." }]);
});

describe("a call back", () => {
  test.each([
    ["30", 30],
    [5, 5],
    ["10080", 10_080],
    ["2026-03-01T15:30:00+01:00", 150],
    ["2026-03-01T12:30Z", 30],
    ["2026-03-01T12:04:30Z", 5],
  ])("at %j is noted for %i minutes from now, and the moment is said", async (when, minutes) => {
    const wishes: object[] = [];
    const said = await use(back(wishes), { when, why: " the flight " });
    expect(wishes).toEqual([{ dueAtMs: NOW + minutes * 60_000, why: "the flight" }]);
    expect(said).toContain(new Date(NOW + minutes * 60_000).toISOString());
  });

  test.each([
    "3",
    "0",
    "-30",
    "10081",
    "2026-03-01T11:59:00Z",
    "2026-03-08T12:01:00Z",
    "2026-03-01T15:30:00",
    "soon",
    "",
  ])("at %j is refused", async (when) => {
    const wishes: object[] = [];
    await expect(use(back(wishes), { when, why: "the flight" })).rejects.toThrow(/^when: /);
    expect(wishes).toEqual([]);
  });

  test("is about something", async () => {
    await expect(use(back(), { when: "30", why: "" })).rejects.toThrow(/^why: /);
  });

  test("that is one too many is not promised", async () => {
    expect(await use(back([], "too-many"), { when: "30", why: "the flight" })).toContain("was not noted");
  });
});
