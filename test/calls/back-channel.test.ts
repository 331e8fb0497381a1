import { expect, test } from "vitest";
import { weigh } from "../../src/calls/back-channel.ts";

test.each([
  "Mhm.",
  "Uh-huh.",
  "Yeah, okay.",
  "Hmmmm",
  "mm-hmm",
  "Hahahaha.",
  "I see.",
  "Genau, ja.",
  "Sí, claro.",
  "Got it!",
])("%s says no more than that somebody listens", (text) => expect(weigh(text)).toBe("back-channel"));

test.each(["", "  ", "...", "♪", "♪ la la la ♪", "[laughter]", "(coughs)", "*music*"])("%j is nothing said", (text) =>
  expect(weigh(text)).toBe("nothing"),
);

test.each([
  "Stop.",
  "No.",
  "Wait, yeah.",
  "Yeah but how much?",
  "Nein",
  "はい、でも",
  "ok ok ok ok",
  "Right on Main Street",
])("%s wants the floor", (text) => expect(weigh(text)).toBe("words"));
