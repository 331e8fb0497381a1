import { expect, test } from "vitest";
import { newSessionConfig, updatedConfig } from "../../../src/testing/speech-model/session-config.ts";
import type { Json } from "../../../src/testing/speech-model/wire.ts";

const before = newSessionConfig({ id: "sess_1", model: "gpt-realtime-2.1", expiresAt: 0 });
const withTool = (tool: Json) => updatedConfig(before, { type: "realtime", tools: [tool] });
const server = { type: "mcp", server_label: "notes", server_url: "https://notes.example/mcp" };

test.each([
  ["the least", server],
  ["all that we say", { ...server, authorization: "t0ken", allowed_tools: ["search"], require_approval: "never" }],
  ["filters", { ...server, allowed_tools: { read_only: true }, require_approval: { never: { read_only: true } } }],
])("a session takes an MCP server with %s", (_what, tool) => {
  expect(withTool(tool).tools).toEqual([tool]);
});

test.each([
  ["no label", { ...server, server_label: undefined }, "tools[0].server_label"],
  ["no place", { ...server, server_url: undefined }, "tools[0]"],
  ["two places", { ...server, tunnel_id: "tun_1" }, "tools[0]"],
  ["a word of its own for approval", { ...server, require_approval: "sometimes" }, "tools[0].require_approval"],
  ["one allowed tool that is no list", { ...server, allowed_tools: "search" }, "tools[0].allowed_tools"],
  ["what nobody knows", { ...server, url: "https://notes.example" }, "tools[0].url"],
  ["another type", { ...server, type: "web_search" }, "tools[0].type"],
])("and refuses one with %s", (_what, tool, param) => {
  expect(() => withTool(tool as Json)).toThrow(param);
});
