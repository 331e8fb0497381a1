import { CarrierRefusedError, CarrierUnreachableError } from "../../core/errors.ts";
import { endReason } from "./status.ts";

/** What an error code of Twilio's means to whoever asked for the call, and what helps. */
interface Meaning {
  readonly reason: string;
  readonly remedy: string;
  /** Whether the same request may succeed later without a change. */
  readonly retryable?: true;
}

const OWN_NUMBER = "Use one of the account's numbers, or verify this one in Twilio's console.";
const CHECK_NUMBER = "Check the number, with its country code.";
const OUR_URL = "Check publicUrl and that it can be reached from the internet; `doctor` tests it.";
const CERTIFICATE = "Give publicUrl a certificate of a public authority that is valid for its host.";
const REPORT = "Please report it: the channel wrote this itself.";

/**
 * Twilio's error codes in our words.
 * @see https://www.twilio.com/docs/api/errors
 */
export const MEANINGS: ReadonlyMap<string, Meaning> = new Map(
  Object.entries({
    // The account and the API.
    20003: {
      reason: "Twilio does not accept the account's credentials.",
      remedy: "Check carrier.accountSid and carrier.authToken.",
    },
    20404: { reason: "There is no such call any more.", remedy: "Nothing is to be done if it had ended." },
    20429: { reason: "Twilio gets too many requests at once.", remedy: "Try again in a moment.", retryable: true },
    // Whom to ring, and as whom.
    21201: { reason: "The order names nobody to ring.", remedy: "Give a number to ring." },
    21205: { reason: "The URL for instructions is not valid.", remedy: OUR_URL },
    21210: { reason: "The number that would show is not verified for this account.", remedy: OWN_NUMBER },
    21211: { reason: "The number to ring is not valid.", remedy: CHECK_NUMBER },
    21212: { reason: "The number that would show is not valid.", remedy: OWN_NUMBER },
    21213: { reason: "The order names no number that would show.", remedy: OWN_NUMBER },
    21214: { reason: "The number cannot be reached.", remedy: CHECK_NUMBER },
    21215: {
      reason: "The account may not call this country.",
      remedy: "Allow it in Twilio's console under Voice, Geographic permissions.",
    },
    21216: {
      reason: "The account may not call this number.",
      remedy: "Check in Twilio's console whether the number or its country is blocked.",
    },
    21217: { reason: "The number to ring is not valid.", remedy: CHECK_NUMBER },
    21218: { reason: "The application's id is not valid.", remedy: REPORT },
    21219: {
      reason: "A trial account may ring verified numbers only.",
      remedy: "Verify the number in Twilio's console, or upgrade the account.",
    },
    21220: { reason: "The call is not live any more.", remedy: "Nothing is to be done if it had ended." },
    21227: { reason: "The SIP headers are longer than 1,024 characters.", remedy: "Shorten them." },
    // Text messages.
    21408: {
      reason: "The account may not send text messages to this country.",
      remedy: "Allow it in Twilio's console under Messaging, Geo permissions.",
    },
    21608: {
      reason: "A trial account may reach verified numbers only.",
      remedy: "Verify the number in Twilio's console, or upgrade the account.",
    },
    21610: {
      reason: "The recipient has opted out.",
      remedy: "Do not contact them again until they write START to the number.",
    },
    21612: { reason: "There is no route for a text message to this number.", remedy: "Ring instead." },
    21614: { reason: "The number is not a mobile one.", remedy: "Ring instead, or use a mobile number." },
    21617: { reason: "The text message is longer than 1,600 characters.", remedy: "Shorten it." },
    30003: { reason: "The phone is switched off or out of reach.", remedy: "Try again later.", retryable: true },
    30005: { reason: "The number is not known to its network.", remedy: CHECK_NUMBER },
    30006: { reason: "The number is a landline or cannot take text messages.", remedy: "Ring instead." },
    30007: {
      reason: "The network filtered the message out.",
      remedy: "Change the text and check the sender's registration.",
    },
    30008: { reason: "The network did not say why it failed.", remedy: "Try again later.", retryable: true },
    30034: {
      reason: "The sender's number is not registered for messages from applications (10DLC).",
      remedy: "Register it in Twilio's console.",
    },
    // Dialling.
    13223: { reason: "The number to ring is not well formed.", remedy: CHECK_NUMBER },
    13224: {
      reason: "The number is not valid, not supported, or its network is out of order.",
      remedy: `${CHECK_NUMBER} If it is right, try again later.`,
    },
    13225: { reason: "Twilio blocks calls to this number.", remedy: "Ask Twilio's support if that is wrong." },
    13226: { reason: "The country code is not known.", remedy: CHECK_NUMBER },
    13227: {
      reason: "The account may not call this country.",
      remedy: "Allow it in Twilio's console under Voice, Geographic permissions.",
    },
    13253: { reason: "The SIP headers are too long.", remedy: "Shorten them." },
    // Twilio asks us for instructions.
    11200: { reason: "Twilio got no usable answer from our webhook.", remedy: OUR_URL, retryable: true },
    11205: { reason: "Twilio could not connect to our webhook.", remedy: OUR_URL, retryable: true },
    11210: { reason: "Twilio did not find the host of our webhook.", remedy: OUR_URL },
    11215: { reason: "Our webhook redirects Twilio too often.", remedy: "Let publicUrl point to the channel itself." },
    11220: { reason: "Twilio could not agree on encryption with our webhook.", remedy: CERTIFICATE },
    11235: { reason: "The certificate of our webhook is not valid.", remedy: CERTIFICATE },
    11236: { reason: "The certificate of our webhook was revoked.", remedy: CERTIFICATE },
    11237: { reason: "The certificate of our webhook has no trusted chain.", remedy: CERTIFICATE },
    11238: { reason: "The certificate of our webhook cannot be checked for revocation.", remedy: CERTIFICATE },
    11239: { reason: "The certificate of our webhook is malformed.", remedy: CERTIFICATE },
    11240: { reason: "The certificate of our webhook does not fit its use.", remedy: CERTIFICATE },
    11241: { reason: "The certificate of our webhook is for another host.", remedy: CERTIFICATE },
    12100: { reason: "Twilio could not parse the instructions.", remedy: REPORT },
    12200: { reason: "Twilio's schema does not know a part of the instructions.", remedy: REPORT },
    12300: {
      reason: "The instructions came with a wrong content type.",
      remedy: "Check that no proxy before the channel changes its answers.",
    },
    // Trunks and attestation.
    32011: {
      reason: "The trunk's target cannot be reached.",
      remedy: "Check the trunk's addresses in Twilio's console.",
      retryable: true,
    },
    32020: {
      reason: "The attestation of the caller's number (SHAKEN) is not valid.",
      remedy: "Check the number's registration in Twilio's console.",
    },
    32224: {
      reason: "Regulation forbids forwarding the call with this number.",
      remedy: "Forward with one of the account's own numbers.",
    },
  } satisfies Record<number, Meaning>),
);

/** What Twilio's client throws when the API answered with an error. */
interface ApiError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/**
 * What a failed request to the API means. Twilio was reached and refused, or whether it acted is not known: no answer,
 * an answer that cannot be read, or its own failure (5xx).
 */
export function toVoiceError(cause: unknown, what: string): CarrierRefusedError | CarrierUnreachableError {
  const error = asApiError(cause);
  if (!error || error.status < 400 || error.status > 499) {
    const detail = error ? `it answered ${error.status}` : describe(cause);
    return new CarrierUnreachableError(`Twilio could not ${what}: ${detail}. Whether it acted is not known.`, {
      cause,
    });
  }
  const {
    reason,
    remedy,
    retryable = false,
  } = MEANINGS.get(error.code) ?? {
    reason: error.message.endsWith(".") ? error.message : `${error.message}.`,
    remedy: `See https://www.twilio.com/docs/errors/${error.code}`,
  };
  return new CarrierRefusedError(error.code, reason, remedy, {
    retryable,
    cause,
    endReason: endReason({ status: "failed", direction: "outbound", errorCode: error.code }),
  });
}

/** Whether Twilio says that a call is not live: over, never there, or for new instructions still ringing. */
export function isNotLive(error: unknown): boolean {
  return error instanceof CarrierRefusedError && (error.carrierCode === "20404" || error.carrierCode === "21220");
}

/** A truth that was refused is not had: a refusal becomes "cannot be had", anything else stays what it is. */
export function asUnknown(error: unknown, what: string): unknown {
  if (!(error instanceof CarrierRefusedError)) return error;
  return new CarrierUnreachableError(`${what} ${error.message}`, { cause: error });
}

// --- Internal helpers ---

/** Codes of answers whose body has none, by HTTP status. */
const BARE_CODES: Readonly<Record<number, string>> = { 401: "20003", 403: "20003", 404: "20404", 429: "20429" };

function asApiError(error: unknown): ApiError | undefined {
  if (!(error instanceof Error) || !("status" in error) || typeof error.status !== "number") return undefined;
  const { status } = error;
  const code = "code" in error && typeof error.code === "number" && error.code > 0 ? String(error.code) : undefined;
  return {
    status,
    code: code ?? BARE_CODES[status] ?? `HTTP ${status}`,
    message: error.message || "No reason was given",
  };
}

/** A network failure in one line: `fetch` hides the reason in its cause. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
