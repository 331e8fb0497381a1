import { expect, test } from "vitest";
import { kindOfReply } from "../../../src/hosts/openclaw/spoken.ts";

test.each([
  ["words", { text: "It is sunny." }],
  ["failure", { text: "It is sunny.", isError: true }],
  ["failure", { text: "⚠️ OpenClaw couldn't produce or deliver a reply." }],
  ["notice", { text: "thinking", isReasoning: true }],
  ["notice", { text: "first I look", isCommentary: true }],
  ["notice", { text: "Compacting.", isCompactionNotice: true }],
  ["notice", { text: "Another model.", isFallbackNotice: true }],
  ["notice", { text: "Working.", isStatusNotice: true }],
  ["notice", { text: "⚙️ Agent was aborted." }],
  ["notice", { text: "Pairing code: 1234" }],
  ["notice", { text: "Ask the bot owner to approve with: openclaw pairing approve voice 1234" }],
  ["notice", { text: " " }],
  ["notice", {}],
] as const)("%s: %j", (kind, reply) => {
  expect(kindOfReply(reply)).toBe(kind);
});
