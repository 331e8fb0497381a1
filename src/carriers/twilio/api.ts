import type { RequestOpts } from "twilio/lib/base/BaseTwilio.js";
import type { CallListInstance } from "twilio/lib/rest/api/v2010/account/call.js";
import { toVoiceError } from "./errors.ts";
import type { TwilioOptions } from "./index.ts";
import { loadCallsApi } from "./sdk.ts";
import { requireToken } from "./signature.ts";

/** A request without a whole answer after this time counts as unanswered. */
export const ANSWER_WITHIN_MS = 10_000;

/** What of Twilio's REST API is used: its calls, each with its recordings, and the account itself. */
interface Api {
  readonly calls: CallListInstance;
  fetchAccount(): Promise<{ status?: unknown }>;
}

/**
 * Makes one request by Twilio's own resources over `fetch`, within the time it has.
 * @throws SecretMissingError @throws CarrierRefusedError @throws CarrierUnreachableError
 */
export async function ask<T>(
  options: TwilioOptions,
  what: string,
  signal: AbortSignal,
  request: (api: Api) => Promise<T>,
): Promise<T> {
  const token = requireToken(options.authToken, options.accountId);
  const timeout = new AbortController();
  const timer = options.clock.after(ANSWER_WITHIN_MS, () =>
    timeout.abort(new Error(`no answer within ${ANSWER_WITHIN_MS / 1000} seconds`)),
  );
  try {
    return await request(openApi(options, token, AbortSignal.any([signal, timeout.signal])));
  } catch (error) {
    throw toVoiceError(error, what);
  } finally {
    timer.stop();
  }
}

/** The header by which the account's own requests are known. */
export function authorization(accountSid: string, token: string): string {
  return `Basic ${Buffer.from(`${accountSid}:${token}`).toString("base64")}`;
}

// --- Internal helpers ---

function openApi(
  { accountSid, apiBaseUrl, fetch = globalThis.fetch }: TwilioOptions,
  token: string,
  signal: AbortSignal,
): Api {
  const { Domain, Version, CallListInstance } = loadCallsApi();
  const client = {
    async request({ method = "get", uri = apiBaseUrl, headers, data, params }: RequestOpts) {
      const query = params === undefined ? "" : `?${formBody(params as Record<string, unknown>)}`;
      const response = await fetch(uri + query, {
        method: method.toUpperCase(),
        headers: {
          ...(headers as Record<string, string>),
          authorization: authorization(accountSid, token),
          "user-agent": "openclaw-voice-channel",
        },
        body: data === undefined ? null : formBody(data as Record<string, unknown>),
        redirect: "error", // the credentials go nowhere else
        signal,
      });
      return { statusCode: response.status, body: await response.text() };
    },
  };
  // The resource asks of its client and version no more than this; the classes named in its types bring the rest.
  const domain = new Domain(client as unknown as ConstructorParameters<typeof Domain>[0], apiBaseUrl);
  const version = new Version(domain, "2010-04-01");
  return {
    calls: CallListInstance(version as Parameters<typeof CallListInstance>[0], accountSid),
    fetchAccount: () => version.fetch({ method: "get", uri: `/Accounts/${accountSid}.json` }),
  };
}

/** Form fields; a list is its field repeated. */
function formBody(data: Record<string, unknown>): URLSearchParams {
  return new URLSearchParams(
    Object.entries(data).flatMap(([name, value]) => [value].flat().map((one): [string, string] => [name, String(one)])),
  );
}
