import { expect, test } from "vitest";
import { progressOf } from "../../../src/hosts/openclaw/progress-words.ts";

function tool(name: string, more: object = {}) {
  return { runId: "r1", stream: "tool", data: { phase: "start", name, args: { path: "/secret" } }, ...more };
}

test("what a run's tools do is said in neutral words, of its own run alone, never twice in a row", () => {
  const said: string[] = [];
  const hear = progressOf("r1", (words) => said.push(words));
  hear(tool("memory_search"));
  hear(tool("memory_get"));
  hear(tool("calendar_list"));
  hear(tool("web_search", { runId: "r2" }));
  hear(tool("web_search", { data: { phase: "end", name: "web_search" } }));
  hear(tool("something_of_a_plugin"));
  expect(said).toEqual([
    "I am looking through my notes.",
    "I am looking at the calendar.",
    "I am still working on it.",
  ]);
});

test("a run of many tools says no more than a handful of things", () => {
  const said: string[] = [];
  const hear = progressOf("r1", (words) => said.push(words));
  for (let i = 0; i < 50; i += 1) hear(tool(i % 2 === 0 ? "read" : "web_search"));
  expect(said).toHaveLength(5);
});
