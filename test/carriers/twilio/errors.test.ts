import { describe, expect, test } from "vitest";
import { MEANINGS, toVoiceError } from "../../../src/carriers/twilio/errors.ts";

const apiError = (status: number, code: unknown, message = "Twilio's own words") =>
  Object.assign(new Error(message), { status, code });

/** Every code that the channel has to explain. */
const CODES = [
  ...[20003, 20404, 20429, 21201, 21205, 21210, 21211, 21212, 21213, 21214, 21215, 21216, 21217, 21218, 21219, 21220],
  ...[21227, 21408, 21608, 21610, 21612, 21614, 21617, 30003, 30005, 30006, 30007, 30008, 30034, 13223, 13224, 13225],
  ...[13226, 13227, 13253, 11200, 11205, 11210, 11215, 11220, 11235, 11236, 11237, 11238, 11239, 11240, 11241, 12100],
  ...[12200, 12300, 32011, 32020, 32224],
];
const RETRYABLE = [20429, 30003, 30008, 11200, 11205, 32011];

describe("a refusal", () => {
  test.each(CODES)("%i says what happened and what to do", (code) => {
    const error = toVoiceError(apiError(400, code), "place the call");
    expect(error).toMatchObject({
      code: "carrier_refused",
      carrierCode: String(code),
      retryable: RETRYABLE.includes(code),
    });
    const { reason, remedy } = MEANINGS.get(String(code)) as { reason: string; remedy: string };
    for (const sentence of [reason, remedy]) expect(sentence).toMatch(/^[A-Z].+\.$/);
    expect(error.message).toContain(`${reason} ${remedy}`);
    expect(error.message).not.toContain("Twilio's own words");
  });

  test("with a code that we do not know keeps Twilio's words and names its page", () => {
    const error = toVoiceError(apiError(400, 29_999, "Odd"), "place the call");
    expect(error.message).toBe("The carrier refused (29999): Odd. See https://www.twilio.com/docs/errors/29999");
    expect(error.retryable).toBe(false);
  });

  test.each([
    [401, "20003", false],
    [403, "20003", false],
    [404, "20404", false],
    [429, "20429", true],
    [418, "HTTP 418", false],
  ])("with status %i and no code is %s", (status, carrierCode, retryable) => {
    const cause = apiError(status, undefined);
    expect(toVoiceError(cause, "x")).toMatchObject({ code: "carrier_refused", carrierCode, retryable, cause });
  });
});

describe("whether Twilio acted is not known", () => {
  test.each([
    ["after a failure of its own", apiError(503, 20_500), "it answered 503"],
    ["without an answer", new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") }), "ECONNREFUSED"],
    ["with an answer that cannot be read", new SyntaxError("Unexpected token"), "Unexpected token"],
    ["after anything else", "thrown", "thrown"],
  ])("%s", (_, cause, detail) => {
    const error = toVoiceError(cause, "place the call");
    expect(error).toMatchObject({ code: "carrier_unreachable", retryable: true, cause });
    expect(error.message).toContain(detail);
  });
});
