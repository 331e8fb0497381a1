import { expect, test } from "vitest";
import { CLIP_TEXTS, type ClipName } from "../../src/calls/clips.ts";
import { parseAccount } from "../../src/config.ts";
import { systemClock } from "../../src/core/clock.ts";
import { AccountBook } from "../../src/plugin/accounts.ts";

const ACCOUNT = {
  number: "+15550001234",
  carrier: { accountSid: `AC${"0".repeat(32)}`, authToken: "token" },
  engine: { apiKey: "sk-key" },
};

/** What of our own sounds an account has. */
const sounds = (book: AccountBook) =>
  (Object.keys(CLIP_TEXTS) as ClipName[]).filter((name) => book.find("default")?.clips?.get(name));

test("an account takes no call before its own sounds are there, nor does one with new settings", async () => {
  const book = new AccountBook("https://voice.example.com", systemClock(), []);
  const first = book.set("default", parseAccount("default", ACCOUNT));
  expect(book.find("default")).toBeUndefined();
  await first;
  expect(sounds(book)).toEqual(Object.keys(CLIP_TEXTS));
  const second = book.set("default", parseAccount("default", { ...ACCOUNT, persona: { language: "en-GB" } }));
  expect(sounds(book)).toEqual(Object.keys(CLIP_TEXTS));
  await second;
  expect(book.find("default")?.persona.language).toBe("en-GB");
  expect(sounds(book)).toEqual(Object.keys(CLIP_TEXTS));
});
