import fc from "fast-check";
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import { describe, expect, test } from "vitest";
import type { RawRequest } from "../../../src/carriers/carrier.ts";
import { InvalidSignatureError, SecretMissingError } from "../../../src/core/errors.ts";
import { INBOUND, PUBLIC_URL, posted, TOKEN, twilio } from "./fixtures.ts";

const VOICE = "/twilio/default/voice";

describe("a webhook", () => {
  test("is accepted before anything was loaded, and after", async () => {
    const carrier = twilio();
    expect(carrier.verify(posted(VOICE))).toMatchObject({ path: VOICE });
    await carrier.warmUp();
    expect(carrier.verify(posted(VOICE))).toMatchObject({ path: VOICE });
  });

  test("a signature made by another program is accepted", () => {
    // By OpenSSL, with the rule of https://www.twilio.com/docs/usage/security:
    // printf 'https://voice.example.com/twilio/default/voiceDigits1234' | openssl dgst -sha1 -hmac 12345 -binary | base64
    const request = {
      method: "POST",
      path: VOICE,
      headers: { "x-twilio-signature": "ymlTAeH1TP5cKrOWTXpDbgfxipU=" },
      body: "Digits=1234",
    };
    expect(() => twilio({ authToken: "12345" }).verify(request)).not.toThrow();
  });

  test.each([undefined, "", null, { source: "env", provider: "default", id: "TWILIO" }])(
    "without a resolved token (%j) nothing is accepted",
    (authToken) => {
      expect(() => twilio({ authToken }).verify(posted(VOICE))).toThrow(SecretMissingError);
    },
  );

  test("without a signature, or with one of another token, it is refused", () => {
    expect(() => twilio().verify({ ...posted(VOICE), headers: {} })).toThrow(InvalidSignatureError);
    expect(() => twilio({ authToken: "another" }).verify(posted(VOICE))).toThrow(InvalidSignatureError);
  });

  test("no change of its fields, query or path goes unnoticed", () => {
    const carrier = twilio();
    const genuine = posted(`${VOICE}?call=call_1`);
    const forged: RawRequest[] = [
      { ...genuine, body: genuine.body.replace("5678", "5679") },
      { ...genuine, body: `${genuine.body}&Extra=1` },
      { ...genuine, path: `${VOICE}?call=call_2` },
      { ...genuine, path: VOICE },
      { ...genuine, path: "/twilio/default/status?call=call_1" },
      { ...genuine, path: "/twilio/other/voice?call=call_1" },
      { ...genuine, method: "GET" },
    ];
    for (const request of forged) expect(() => carrier.verify(request)).toThrow(InvalidSignatureError);
    expect(() => carrier.verify(genuine)).not.toThrow();
  });

  test("whatever a stranger sends, the answer is that it is not signed", () => {
    const carrier = twilio();
    const requests = fc.record({
      method: fc.constantFrom("GET", "POST", "PUT"),
      path: fc.oneof(
        fc.string({ unit: "binary" }),
        fc.string().map((query) => `${VOICE}?${query}`),
      ),
      headers: fc.record({ "x-twilio-signature": fc.string({ unit: "binary" }) }),
      body: fc.oneof(fc.string({ unit: "binary" }), fc.constant("__proto__=1&constructor=2&a=%ff&a=1")),
    });
    fc.assert(
      fc.property(requests, (request) => {
        expect(() => carrier.verify(request)).toThrow(InvalidSignatureError);
      }),
    );
  });

  test.each([
    ["case 17: a port in publicUrl that Twilio left out", "https://voice.example.com:8443", PUBLIC_URL],
    [
      "case 17: a port in publicUrl that Twilio signed",
      "https://voice.example.com:8443",
      "https://voice.example.com:8443",
    ],
    ["case 17: the standard port signed and not configured", PUBLIC_URL, `${PUBLIC_URL}:443`],
    ["case 18: a path that a proxy cuts off", `${PUBLIC_URL}/phone`, `${PUBLIC_URL}/phone`],
    ["a slash at the end of publicUrl", `${PUBLIC_URL}/`, PUBLIC_URL],
  ])("%s is accepted", (_, publicUrl, signedBase) => {
    // The port of publicUrl is removed or kept as Twilio's own check does it.
    expect(() => twilio({ publicUrl }).verify(posted(VOICE, INBOUND, signedBase + VOICE))).not.toThrow();
  });

  test("case 18: the path of publicUrl is what counts, also when the proxy passes it on", () => {
    const carrier = twilio({ publicUrl: `${PUBLIC_URL}/phone` });
    const passedOn = { ...posted(VOICE, INBOUND, `${PUBLIC_URL}/phone${VOICE}?call=1`), path: `/phone${VOICE}?call=1` };
    expect(() => carrier.verify(passedOn)).not.toThrow();
    expect(() => carrier.verify(posted(VOICE))).toThrow(InvalidSignatureError);
  });
});

describe("a media upgrade", () => {
  const upgrade = (signedUrl: string): RawRequest => ({
    method: "GET",
    path: "/twilio/default/stream",
    headers: { "x-twilio-signature": getExpectedTwilioSignature(TOKEN, signedUrl, {}) },
    body: "",
  });

  test.each([
    "wss://voice.example.com/twilio/default/stream",
    "wss://voice.example.com/twilio/default/stream/",
    "https://voice.example.com/twilio/default/stream",
    "https://voice.example.com/twilio/default/stream/",
  ])("signed over %s is accepted", (url) => {
    expect(() => twilio().verify(upgrade(url))).not.toThrow();
  });

  test("case 17: signed with publicUrl's port, or without it, is accepted", () => {
    const carrier = twilio({ publicUrl: `${PUBLIC_URL}:8443` });
    for (const port of [":8443", ""]) {
      expect(() => carrier.verify(upgrade(`wss://voice.example.com${port}/twilio/default/stream`))).not.toThrow();
    }
  });

  test("signed for another path, host or account is refused", () => {
    for (const url of [
      "wss://voice.example.com/twilio/default/voice",
      "wss://voice.example.org/twilio/default/stream",
      "wss://voice.example.com/twilio/other/stream",
    ]) {
      expect(() => twilio().verify(upgrade(url))).toThrow(InvalidSignatureError);
    }
  });
});
