import { createHmac } from "node:crypto";

/**
 * `X-Twilio-Signature` of a request: base64 of HMAC-SHA1, keyed with the auth token, over the full public URL
 * followed by name and value of each form field in the order of the names. Upgrades and GETs have no fields.
 * @see https://www.twilio.com/docs/usage/security#validating-requests
 */
export function signRequest(authToken: string, url: string, fields: Readonly<Record<string, string>> = {}): string {
  const signed = Object.keys(fields)
    .sort()
    .reduce((text, name) => text + name + fields[name], url);
  return createHmac("sha1", authToken).update(signed, "utf8").digest("base64");
}
