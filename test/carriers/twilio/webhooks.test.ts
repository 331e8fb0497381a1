import { describe, expect, test } from "vitest";
import type { RawRequest } from "../../../src/carriers/carrier.ts";
import { InvalidRequestError } from "../../../src/core/errors.ts";
import { ACCOUNT_SID, CALL_SID, INBOUND, OUTBOUND, OWN, PERSON, posted, read, twilio } from "./fixtures.ts";

const VOICE = "/twilio/default/voice";
const STATUS = "/twilio/default/status";

describe("a waiting leg", () => {
  test("of an inbound call names both parties", () => {
    expect(read(VOICE)).toEqual({
      type: "leg.waiting",
      key: `${CALL_SID}:voice`,
      legId: CALL_SID,
      direction: "inbound",
      from: PERSON,
      to: OWN,
    });
  });

  test("of an outbound call brings our call's id back", () => {
    expect(read(`${VOICE}?call=call_1`, OUTBOUND)).toMatchObject({
      type: "leg.waiting",
      callId: "call_1",
      direction: "outbound",
      from: OWN,
      to: PERSON,
    });
  });

  test.each([
    "anonymous",
    "Anonymous",
    "Restricted",
    "",
    "+266696687",
    "+7378742833",
    "sip:a@b.example",
    "client:x",
    "911",
  ])("from %j is from anonymous", (From) => {
    expect(read(VOICE, { ...INBOUND, From })).toMatchObject({ type: "leg.waiting", from: "anonymous" });
  });

  test("without a From at all is from anonymous", () => {
    const { From: _, ...fields } = INBOUND;
    expect(read(VOICE, fields)).toMatchObject({ from: "anonymous" });
  });

  test("numbers are read however they are written", () => {
    expect(read(VOICE, { ...INBOUND, From: "+1 (555) 000-5678" })).toMatchObject({ from: PERSON });
  });

  test("a number whose webhook is set to GET works too", () => {
    const carrier = twilio();
    const path = `${VOICE}?${new URLSearchParams(INBOUND)}`;
    const request: RawRequest = { ...posted(path, {}), method: "GET", body: "" };
    expect(carrier.parse(carrier.verify(request))).toMatchObject({ type: "leg.waiting", from: PERSON });
  });

  test.each<[string, Record<string, string>]>([
    ["another account's", { AccountSid: `AC${"9".repeat(32)}` }],
    ["for a number that is not ours", { To: "+15550009999" }],
    ["as outbound from a number that is not ours", { Direction: "outbound-api", To: OWN, From: PERSON }],
    ["of an unknown direction", { Direction: "sideways" }],
    ["without a direction", { Direction: "" }],
    ["without a call's id", { CallSid: "" }],
    ["with a call's id that is none", { CallSid: "../../x" }],
    ["with nothing", { AccountSid: "" }],
  ])("%s is refused", (_, change) => {
    expect(() => read(VOICE, { ...INBOUND, ...change })).toThrow(InvalidRequestError);
  });

  test("a field that is there twice is refused, though its signature holds", () => {
    const carrier = twilio();
    const request = posted(VOICE);
    // Twilio's check drops repeated values, so that a copy of a field does not change the signature.
    const doubled = carrier.verify({ ...request, body: `${request.body}&To=${encodeURIComponent(OWN)}` });
    expect(() => carrier.parse(doubled)).toThrow(InvalidRequestError);
  });
});

describe("what the network says of a caller's number", () => {
  test.each([
    ["TN-Validation-Passed-A", "full"],
    ["TN-Validation-Passed-B", "partial"],
    ["TN-Validation-Passed-C", "gateway"],
    ["TN-Validation-Passed-A-Diverted", "full"],
    ["TN-Validation-Passed-B-Passthrough", "partial"],
    ["TN-Validation-Passed-C-Diverted", "gateway"],
    ["TN-Validation-Failed", "failed"],
    ["TN-Validation-Failed-A", "failed"],
    ["TN-Validation-Failed-C-Passthrough", "failed"],
    ["NULL", "failed"],
  ])("%s is %s", (StirVerstat, attestation) => {
    expect(read(VOICE, { ...INBOUND, StirVerstat })).toMatchObject({ type: "leg.waiting", attestation });
  });

  test.each([
    "",
    "No-TN-Validation",
    "TN-Validation-Passed",
    "TN-Validation-Passed-D",
    "TN-Validation-Passed-AB",
    " TN-Validation-Passed-A",
    "tn-validation-passed-a",
    "something new",
  ])("%j says nothing, and the call goes on", (StirVerstat) => {
    const event = read(VOICE, { ...INBOUND, StirVerstat });
    expect(event).toMatchObject({ type: "leg.waiting", from: PERSON });
    expect(event).not.toHaveProperty("attestation");
  });

  test("is asked of callers alone: whom we rang, we know", () => {
    const event = read(`${VOICE}?call=call_1`, { ...OUTBOUND, StirVerstat: "TN-Validation-Failed-A" });
    expect(event).not.toHaveProperty("attestation");
  });

  test("is refused when it is there twice: the better of two would win", () => {
    const carrier = twilio();
    const request = posted(VOICE, { ...INBOUND, StirVerstat: "TN-Validation-Failed-A" });
    const body = `StirVerstat=TN-Validation-Failed-A&${request.body}`;
    expect(() => carrier.parse(carrier.verify({ ...request, body }))).toThrow(InvalidRequestError);
  });
});

test("case 14: a webhook that comes twice has the same key, another call's another", () => {
  expect(read(VOICE)).toEqual(read(VOICE));
  expect(read(VOICE, { ...INBOUND, CallSid: `CA${"4".repeat(32)}` }).key).not.toBe(read(VOICE).key);
});

describe("a returning leg", () => {
  const resumeUrl = (token: string) => {
    const { body } = twilio().answer({ kind: "connect", callId: "call_1", token });
    return new URL(/<Redirect[^>]*>(.*?)<\/Redirect>/.exec(body)?.[1]?.replaceAll("&amp;", "&") as string);
  };
  const path = (url: URL) => url.pathname + url.search;

  test("names the call", () => {
    const event = read(path(resumeUrl("token")));
    expect(event).toMatchObject({ type: "leg.returned", legId: CALL_SID, callId: "call_1" });
  });

  test("has one key for a repetition and another for its next return", () => {
    const key = (token: string) => read(path(resumeUrl(token))).key;
    expect(key("first")).toBe(key("first"));
    expect(key("second")).not.toBe(key("first"));
  });

  test("the URL does not give the stream's token away", () => {
    expect(resumeUrl("a-secret-token").href).not.toContain("a-secret-token");
  });
});

describe("a status", () => {
  const status = (CallStatus: string, change: Record<string, string> = {}, fields = OUTBOUND) =>
    read(`${STATUS}?call=call_1`, { ...fields, CallStatus, SequenceNumber: "3", ...change });

  test.each([
    ["initiated", "leg.accepted"],
    ["queued", "leg.accepted"],
    ["ringing", "leg.ringing"],
    ["in-progress", "leg.answered"],
    ["answered", "leg.answered"],
  ])("%s is %s", (word, type) => {
    expect(status(word)).toMatchObject({ type, callId: "call_1", sequence: 3, key: `${CALL_SID}:status:3:${word}` });
  });

  test("says who answered", () => {
    expect(status("in-progress", { AnsweredBy: "machine_start" })).toMatchObject({ answeredBy: "machine_start" });
    expect(status("in-progress")).not.toHaveProperty("answeredBy");
  });

  test.each<[string, Record<string, string>, string]>([
    ["completed", {}, "callee_hangup"],
    ["busy", { SipResponseCode: "486" }, "busy"],
    ["busy", { SipResponseCode: "603" }, "rejected"],
    ["no-answer", { SipResponseCode: "487" }, "no_answer"],
    ["canceled", {}, "cancelled"],
    ["failed", { SipResponseCode: "404" }, "invalid_number"],
    ["failed", { SipResponseCode: "484" }, "invalid_number"],
    ["failed", { SipResponseCode: "480" }, "no_answer"],
    ["failed", { SipResponseCode: "486" }, "busy"],
    ["failed", { SipResponseCode: "607" }, "rejected"],
    ["failed", { SipResponseCode: "608" }, "rejected"],
    ["failed", { SipResponseCode: "503" }, "carrier_error"],
    ["failed", { ErrorCode: "13224" }, "invalid_number"],
    ["failed", { ErrorCode: "13227" }, "not_allowed"],
    ["failed", {}, "carrier_error"],
  ])("an outbound leg that is %s %j ended by %s", (word, change, reason) => {
    expect(status(word, change)).toMatchObject({ type: "leg.ended", reason, carrierStatus: word });
  });

  test.each([
    ["completed", "caller_hangup"],
    ["canceled", "caller_hangup"],
  ])("an inbound leg that is %s ended by %s", (word, reason) => {
    expect(status(word, {}, { ...INBOUND, AccountSid: ACCOUNT_SID })).toMatchObject({ type: "leg.ended", reason });
  });

  test("an unknown word ends nothing", () => {
    expect(status("pondering")).toMatchObject({ type: "leg.unknown", carrierStatus: "pondering" });
  });

  test("without a number it is the first; with one that is none it is refused", () => {
    expect(status("ringing", { SequenceNumber: "" })).toMatchObject({ sequence: 0 });
    expect(() => status("ringing", { SequenceNumber: "1e9" })).toThrow(InvalidRequestError);
  });
});
