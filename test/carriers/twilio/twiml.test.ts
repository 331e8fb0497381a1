import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTwiml } from "../../../src/testing/phone-network/twiml.ts";
import { twilio } from "./fixtures.ts";

const verbs = (body: string) => {
  const { verbs: read, warnings } = parseTwiml(body);
  expect(warnings).toEqual([]);
  return read;
};

describe("connect", () => {
  const { body, status, contentType } = twilio().answer({ kind: "connect", callId: "call_1", token: "t-0_k" });
  const [first, ...tail] = verbs(body);

  test("case 19: opens the stream without a query, its token as a parameter", () => {
    expect([status, contentType]).toEqual([200, "text/xml; charset=utf-8"]);
    expect(first).toMatchObject({
      verb: "Connect",
      stream: { url: "wss://voice.example.com/twilio/default/stream", parameters: { token: "t-0_k" } },
    });
  });

  test("has a tail that speaks at once, lasts about 40 s, asks the resume URL, then hangs up", () => {
    expect(tail[0]).toMatchObject({ verb: "Say", text: "One moment, please." });
    const spokenMs = tail.filter(({ verb }) => verb === "Say").length * 1_500;
    const pauses = tail.flatMap((verb) => (verb.verb === "Pause" ? [verb.ms] : []));
    const lasts = spokenMs + pauses.reduce((sum, ms) => sum + ms, 0);
    expect(lasts).toBeGreaterThanOrEqual(35_000);
    expect(lasts).toBeLessThanOrEqual(45_000);
    const [redirect, hangup] = tail.slice(-2);
    expect(redirect).toMatchObject({ verb: "Redirect", method: "POST" });
    expect(redirect?.verb === "Redirect" && redirect.url).toMatch(/\/twilio\/default\/resume\?call=call_1&return=\w+$/);
    expect(hangup).toEqual({ verb: "Hangup" });
  });

  test("under a public URL with http and a path, the stream is there too", () => {
    const carrier = twilio({ publicUrl: "http://127.0.0.1:8080/phone" });
    const [connect] = verbs(carrier.answer({ kind: "connect", callId: "c", token: "t" }).body);
    expect(connect).toMatchObject({ stream: { url: "ws://127.0.0.1:8080/phone/twilio/default/stream" } });
  });
});

describe("speak", () => {
  const speak = (text: string, language = "en") => twilio().answer({ kind: "speak", text, language }).body;

  test("any text is a well-formed document of at most 4,000 characters that ends the call", () => {
    const texts = fc.oneof(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.string({
        unit: fc.constantFrom("<", "&", ">", '"', "\u0000", "\ud800", "\uffff", "]]>", "a", "\n"),
        maxLength: 6_000,
      }),
    );
    const tags = fc.oneof(fc.string(), fc.constantFrom("de", "en-GB", "pt", "xx"));
    fc.assert(
      fc.property(texts, tags, (text, language) => {
        const body = speak(text, language);
        const read = verbs(body);
        expect(body.length).toBeLessThanOrEqual(4_000);
        expect(read.at(-1)).toEqual({ verb: "Hangup" });
        expect(read.length).toBeLessThanOrEqual(2);
      }),
    );
  });

  test("says the text as it is", () => {
    expect(verbs(speak('Tom & Jerry <say> "hi"'))[0]).toMatchObject({ verb: "Say", text: 'Tom & Jerry <say> "hi"' });
  });

  test.each([
    ["en", "en-US"],
    ["EN-gb", "en-GB"],
    ["de", "de-DE"],
    ["de-CH", "de-DE"],
    ["no", "nb-NO"],
    ["tlh", "en-US"],
  ])("speaks %s as %s", (tag, spoken) => {
    expect(speak("x", tag)).toContain(`<Say language="${spoken}">`);
  });
});

test("case 2: no answer is empty", () => {
  for (const answer of [{ kind: "hang-up" }, { kind: "speak", text: "", language: "" }] as const) {
    expect(verbs(twilio().answer(answer).body)).toEqual([{ verb: "Hangup" }]);
  }
});
