import { describe, expect, test } from "vitest";
import {
  CarrierRefusedError,
  CarrierUnreachableError,
  NotAllowedError,
  SecretMissingError,
} from "../../../src/core/errors.ts";
import { ACCOUNT_SID, CALL_SID, handClock, OWN, PERSON, TOKEN, twilio } from "./fixtures.ts";

const signal = new AbortController().signal;
const ORDER = { callId: "call_1", from: OWN, to: PERSON, timeLimitSeconds: 600 };
const CALL = { sid: CALL_SID, status: "queued", direction: "outbound-api", subresource_uris: {} };

/** A stand-in for `fetch` that answers everything alike and keeps what it was asked. */
function answering(status: number, body: unknown) {
  const asked: { url: string; init: RequestInit }[] = [];
  const fetch = async (url: unknown, init: RequestInit = {}) => {
    asked.push({ url: String(url), init });
    return new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
  };
  return { asked, fetch: fetch as typeof globalThis.fetch };
}

describe("dial", () => {
  test("orders the call with our URLs, every status and a time limit", async () => {
    const { asked, fetch } = answering(201, CALL);
    expect(await twilio({ fetch, apiBaseUrl: "http://127.0.0.1:9/base" }).dial(ORDER, signal)).toBe(CALL_SID);
    const [{ url, init }] = asked as [{ url: string; init: RequestInit }];
    expect(url).toBe(`http://127.0.0.1:9/base/2010-04-01/Accounts/${ACCOUNT_SID}/Calls.json`);
    expect(init).toMatchObject({
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(`${ACCOUNT_SID}:${TOKEN}`).toString("base64")}` },
    });
    const form = init.body as URLSearchParams;
    expect(form.getAll("StatusCallbackEvent")).toEqual(["initiated", "ringing", "answered", "completed"]);
    form.delete("StatusCallbackEvent");
    expect(Object.fromEntries(form)).toEqual({
      To: PERSON,
      From: OWN,
      Url: "https://voice.example.com/twilio/default/voice?call=call_1",
      Method: "POST",
      StatusCallback: "https://voice.example.com/twilio/default/status?call=call_1",
      StatusCallbackMethod: "POST",
      TimeLimit: "600",
      Timeout: "45",
    });
  });

  test("from a number that is not ours asks nobody and names those that are", async () => {
    const { asked, fetch } = answering(201, CALL);
    const error = await twilio({ fetch })
      .dial({ ...ORDER, from: PERSON }, signal)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NotAllowedError);
    expect(String(error)).toContain(OWN);
    expect(asked).toEqual([]);
  });

  test("without a resolved token asks nobody", async () => {
    const { asked, fetch } = answering(201, CALL);
    await expect(twilio({ fetch, authToken: { source: "env" } }).dial(ORDER, signal)).rejects.toThrow(
      SecretMissingError,
    );
    expect(asked).toEqual([]);
  });

  test("that Twilio refuses says why, in both forms of its errors", async () => {
    const legacy = { code: 21_215, message: "Geo", more_info: "", status: 400 };
    const rfc9457 = { type: "https://x", title: "Geo", status: 400, code: 21_215 };
    for (const body of [legacy, rfc9457]) {
      const dialled = twilio({ fetch: answering(400, body).fetch }).dial(ORDER, signal);
      await expect(dialled).rejects.toMatchObject({ code: "carrier_refused", carrierCode: "21215" });
    }
  });

  test.each<[string, number, unknown]>([
    ["Twilio's own failure", 500, { code: 20_500, message: "Internal", status: 500 }],
    ["a proxy's page", 502, "<html>Bad gateway</html>"],
    ["a page in place of the call", 201, "<html>Welcome</html>"],
  ])("answered by %s may or may not have happened", async (_, status, body) => {
    await expect(twilio({ fetch: answering(status, body).fetch }).dial(ORDER, signal)).rejects.toThrow(
      CarrierUnreachableError,
    );
  });
});

test("a request without an answer is given up after 10 s, and nothing is left of it", async () => {
  const clock = handClock();
  const fetch = (_: unknown, init?: RequestInit) =>
    new Promise<Response>((_resolve, reject) => {
      init?.signal?.addEventListener("abort", () => reject(init.signal?.reason), { once: true });
    });
  const probe = twilio({ clock, fetch: fetch as typeof globalThis.fetch }).probe(signal);
  expect(clock.timers).toBe(1);
  clock.advance(10_000);
  await expect(probe).rejects.toThrow(/no answer within 10 seconds/);
  await expect(probe).rejects.toThrow(CarrierUnreachableError);
  expect(clock.timers).toBe(0);
});

test.each([20_404, 21_220])("hanging up a call that is over (%i) is fine; another refusal is not", async (code) => {
  const over = twilio({ fetch: answering(400, { code, message: "x", status: 400 }).fetch });
  await over.hangUp(CALL_SID, signal);
  const refused = twilio({ fetch: answering(401, { code: 20_003, message: "x", status: 401 }).fetch });
  await expect(refused.hangUp(CALL_SID, signal)).rejects.toThrow(CarrierRefusedError);
});

test("a redirect carries the whole answer, tail and all, within what Twilio takes", async () => {
  const { asked, fetch } = answering(200, CALL);
  const answer = { kind: "connect", callId: "call_1", token: "a-token" } as const;
  expect(await twilio({ fetch }).redirect(CALL_SID, answer, signal)).toBe(true);
  const [{ url, init }] = asked as [{ url: string; init: RequestInit }];
  expect(url).toBe(`https://api.twilio.com/2010-04-01/Accounts/${ACCOUNT_SID}/Calls/${CALL_SID}.json`);
  const twiml = (init.body as URLSearchParams).get("Twiml") ?? "";
  expect(twiml).toBe(twilio().answer(answer).body);
  expect(twiml).toMatch(/<Connect><Stream url="wss:.*<Say.*<Pause.*<Redirect.*<Hangup\/><\/Response>$/);
  expect(twiml.length).toBeLessThan(4_000);
});

test.each([20_404, 21_220])(
  "a call that is over (%i) takes no instructions; another refusal is none of these",
  async (code) => {
    const answer = { kind: "speak", text: "Hello.", language: "en" } as const;
    const over = twilio({ fetch: answering(400, { code, message: "x", status: 400 }).fetch });
    expect(await over.redirect(CALL_SID, answer, signal)).toBe(false);
    const refused = twilio({ fetch: answering(401, { code: 20_003, message: "x", status: 401 }).fetch });
    await expect(refused.redirect(CALL_SID, answer, signal)).rejects.toThrow(CarrierRefusedError);
  },
);

describe("fetchState", () => {
  test.each([
    ["queued", "outbound-api", { state: "queued" }],
    ["ringing", "inbound", { state: "ringing" }],
    ["in-progress", "inbound", { state: "active" }],
    ["completed", "inbound", { state: "ended", reason: "caller_hangup" }],
    ["completed", "outbound-api", { state: "ended", reason: "callee_hangup" }],
    ["no-answer", "outbound-api", { state: "ended", reason: "no_answer" }],
    ["pondering", "inbound", { state: "unknown" }],
  ])("%s, %s", async (status, direction, state) => {
    const { fetch } = answering(200, { ...CALL, status, direction });
    expect(await twilio({ fetch }).fetchState(CALL_SID, signal)).toEqual({ ...state, carrierStatus: status });
  });

  test("that is refused is no state at all", async () => {
    const { fetch } = answering(401, { code: 20_003, message: "Authenticate", status: 401 });
    await expect(twilio({ fetch }).fetchState(CALL_SID, signal)).rejects.toThrow(CarrierUnreachableError);
  });
});

test("a probe tells wrong credentials and a suspended account", async () => {
  const wrong = twilio({ fetch: answering(401, { code: 20_003, message: "Authenticate", status: 401 }).fetch });
  await expect(wrong.probe(signal)).rejects.toThrow(/carrier\.authToken/);
  const suspended = twilio({ fetch: answering(200, { sid: ACCOUNT_SID, status: "suspended" }).fetch });
  await expect(suspended.probe(signal)).rejects.toThrow(/suspended/);
});
