import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import type { Carrier, RawRequest } from "../../../src/carriers/carrier.ts";
import { createTwilioCarrier, type TwilioOptions } from "../../../src/carriers/twilio/index.ts";
import type { Clock } from "../../../src/core/clock.ts";

export const ACCOUNT_SID = `AC${"1".repeat(32)}`;
export const CALL_SID = `CA${"2".repeat(32)}`;
export const STREAM_SID = `MZ${"3".repeat(32)}`;
export const TOKEN = "a-token-of-the-account";
export const OWN = "+15550001234";
export const PERSON = "+15550005678";
export const PUBLIC_URL = "https://voice.example.com";

/** A clock that stands still until it is moved. */
export function handClock(): Clock & { advance(ms: number): void; readonly timers: number } {
  let now = 0;
  const timers = new Set<{ at: number; action: () => void }>();
  return {
    now: () => now,
    after(delayMs, action) {
      const timer = { at: now + delayMs, action };
      timers.add(timer);
      return { stop: () => void timers.delete(timer) };
    },
    every() {
      throw new Error("not used here");
    },
    advance(ms) {
      now += ms;
      for (const timer of [...timers]) {
        if (timer.at > now || !timers.delete(timer)) continue;
        timer.action();
      }
    },
    get timers() {
      return timers.size;
    },
  };
}

/** A carrier of the account above. */
export function twilio(options: Partial<TwilioOptions> = {}): Carrier {
  return createTwilioCarrier({
    accountId: "default",
    accountSid: ACCOUNT_SID,
    authToken: TOKEN,
    apiBaseUrl: "https://api.twilio.com",
    publicUrl: PUBLIC_URL,
    numbers: [OWN],
    clock: handClock(),
    ...options,
  });
}

/** Fields of an inbound call's first webhook. */
export const INBOUND = {
  AccountSid: ACCOUNT_SID,
  ApiVersion: "2010-04-01",
  CallSid: CALL_SID,
  CallStatus: "ringing",
  Direction: "inbound",
  From: PERSON,
  To: OWN,
};

/** Fields of an outbound call's webhooks. */
export const OUTBOUND = { ...INBOUND, Direction: "outbound-api", From: OWN, To: PERSON, CallStatus: "in-progress" };

/** A request as Twilio posts it to `path`, signed over `url`: the public URL and that path, unless told otherwise. */
export function posted(path: string, fields: Record<string, string> = INBOUND, url = PUBLIC_URL + path): RawRequest {
  return {
    method: "POST",
    path,
    headers: { "x-twilio-signature": getExpectedTwilioSignature(TOKEN, url, fields) },
    body: new URLSearchParams(fields).toString(),
  };
}

/** What the carrier makes of a webhook with these fields. */
export function read(path: string, fields: Record<string, string> = INBOUND, carrier = twilio()) {
  return carrier.parse(carrier.verify(posted(path, fields)));
}
