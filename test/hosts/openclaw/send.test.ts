import { sendDurableMessageBatch } from "openclaw/plugin-sdk/channel-outbound";
import { afterEach, expect, test, vi } from "vitest";
import { HostError } from "../../../src/core/errors.ts";
import { sendMessage } from "../../../src/hosts/openclaw/send.ts";

vi.mock("openclaw/plugin-sdk/channel-outbound", () => ({ sendDurableMessageBatch: vi.fn() }));
const batch = vi.mocked(sendDurableMessageBatch);
afterEach(() => void batch.mockReset());

const address = { channel: "telegram", to: "555" };
const never = new AbortController().signal;

function answer(result: object) {
  batch.mockResolvedValue(result as Awaited<ReturnType<typeof sendDurableMessageBatch>>);
}

test("buttons go out three to a row with our mark, and the message's name comes back", async () => {
  answer({ status: "sent", results: [{ messageId: 7 }] });
  const buttons = ["a", "b", "c", "d"].map((value) => ({ label: value.toUpperCase(), value }));
  expect(await sendMessage({}, { ...address, accountId: "second" }, { text: "Which?", buttons }, never)).toEqual({
    messageId: "7",
  });
  const [sent] = batch.mock.calls[0] ?? [];
  expect(sent).toMatchObject({ channel: "telegram", to: "555", accountId: "second" });
  const rows = sent?.payloads[0]?.presentation?.blocks.map((block) =>
    "buttons" in block ? block.buttons.map(({ action }) => action) : [],
  );
  expect(rows?.map((row) => row.length)).toEqual([3, 1]);
  expect(rows?.[1]).toEqual([{ type: "callback", value: "ocv:d" }]);
});

test.each([
  ["a value that is too long", [{ label: "A", value: "x".repeat(41) }]],
  ["a value that is not ASCII", [{ label: "A", value: "grün" }]],
  ["no value", [{ label: "A", value: "" }]],
  ["no label", [{ label: " ", value: "a" }]],
  ["too many buttons", Array.from({ length: 11 }, (_, i) => ({ label: `${i}`, value: `${i}` }))],
])("%s: an error, and nothing is sent", async (_, buttons) => {
  await expect(sendMessage({}, address, { text: "?", buttons }, never)).rejects.toThrow(HostError);
  expect(batch).not.toHaveBeenCalled();
});

test("the longest value that is allowed leaves room for every mark on its way", async () => {
  answer({ status: "sent", results: [{ messageId: "1" }] });
  await sendMessage({}, address, { text: "?", buttons: [{ label: "A", value: "x".repeat(40) }] }, never);
  expect(JSON.stringify(batch.mock.calls)).toContain(`ocv:${"x".repeat(40)}`);
  expect(`ocv:${"x".repeat(40)}`.length).toBeLessThanOrEqual(50);
});

test.each([
  { status: "failed", error: new Error("blocked") },
  { status: "suppressed", results: [], reason: "no_visible_result" },
  { status: "partial_failed", results: [], error: new Error("half") },
])("a message that was not taken whole is a failure: $status", async (result) => {
  answer(result);
  await expect(sendMessage({}, address, { text: "Hi" }, never)).rejects.toThrow(HostError);
});

test("a text to a telephone number is refused: it would ring", async () => {
  await expect(sendMessage({}, { channel: "voice", to: "+1" }, { text: "Hi" }, never)).rejects.toThrow(HostError);
  expect(batch).not.toHaveBeenCalled();
});
