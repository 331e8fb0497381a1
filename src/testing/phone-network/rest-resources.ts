import type { SimulatedCall } from "./call.ts";
import { rfc2822 } from "./ids.ts";
import type { NumberOptions } from "./types.ts";

/** A refusal of the REST API, in Twilio's words. */
export class RestRefused extends Error {
  readonly status: number;
  readonly code: number;
  constructor(status: number, code: number, message: string) {
    super(message);
    this.name = "RestRefused";
    this.status = status;
    this.code = code;
  }
}

/** The body of an error answer. */
export function errorBody({ status, code, message }: { status: number; code: number; message: string }): object {
  return { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status };
}

const date = (epochMs: number | undefined) => (epochMs === undefined ? null : rfc2822(epochMs));

/** A call as the REST API shows it. */
export function callBody(call: SimulatedCall, accountSid: string): object {
  const uri = `/2010-04-01/Accounts/${accountSid}/Calls/${call.sid}`;
  const sub = (name: string) => `${uri}/${name}.json`;
  return {
    sid: call.sid,
    account_sid: accountSid,
    parent_call_sid: null,
    api_version: "2010-04-01",
    from: call.from,
    from_formatted: call.from,
    to: call.to,
    to_formatted: call.to,
    phone_number_sid: null,
    status: call.status,
    direction: call.direction,
    answered_by: call.answeredBy ?? null,
    caller_name: null,
    forwarded_from: null,
    group_sid: null,
    trunk_sid: null,
    queue_time: "0",
    annotation: null,
    date_created: date(call.createdAt),
    date_updated: date(call.endedAt ?? call.answeredAt ?? call.createdAt),
    start_time: date(call.answeredAt),
    end_time: date(call.endedAt),
    duration: call.isOver ? String(Math.round(call.durationMs / 1000)) : null,
    price: null,
    price_unit: "USD",
    uri: `${uri}.json`,
    subresource_uris: { recordings: sub("Recordings"), streams: sub("Streams"), events: sub("Events") },
  };
}

/** One number of the account as the REST API shows it. */
export function numberBody(e164: string, sid: string, options: NumberOptions, accountSid: string): object {
  return {
    sid,
    account_sid: accountSid,
    phone_number: e164,
    friendly_name: e164,
    api_version: "2010-04-01",
    capabilities: { voice: true, sms: false, mms: false, fax: false },
    voice_url: options.voiceUrl,
    voice_method: options.voiceMethod ?? "POST",
    voice_fallback_url: options.fallbackUrl ?? "",
    voice_fallback_method: "POST",
    status_callback: options.statusCallback ?? "",
    status_callback_method: "POST",
    uri: `/2010-04-01/Accounts/${accountSid}/IncomingPhoneNumbers/${sid}.json`,
  };
}

/** One page of a list, in the paging fields that Twilio's clients follow. */
export function pageBody(key: string, all: readonly object[], path: string, params: Readonly<Record<string, string>>) {
  const size = Math.min(1_000, Math.max(1, Number(params["PageSize"] ?? 50)));
  const page = Number(params["Page"] ?? 0);
  const start = page * size;
  const at = (index: number) =>
    `${path}?${new URLSearchParams({ ...params, Page: String(index), PageSize: String(size) })}`;
  return {
    [key]: all.slice(start, start + size),
    page,
    page_size: size,
    start,
    end: Math.max(start, Math.min(start + size, all.length) - 1),
    uri: at(page),
    first_page_uri: at(0),
    previous_page_uri: page > 0 ? at(page - 1) : null,
    next_page_uri: start + size < all.length ? at(page + 1) : null,
  };
}
