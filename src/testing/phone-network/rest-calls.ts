import type { DialOrder } from "./dial.ts";
import type { TwimlSource } from "./flow.ts";
import { isE164 } from "./ids.ts";
import { RestRefused } from "./rest-resources.ts";
import type { StatusEvent, StatusSubscription } from "./status-callbacks.ts";

/** A `Calls.json` order that has been checked. */
export interface CallRequest extends DialOrder {
  readonly from: string;
  readonly to: string;
  readonly fallbackUrl: string | undefined;
  readonly status: StatusSubscription | undefined;
}

const TWIML_LIMIT = 4_000;
const STATUS_EVENTS: ReadonlySet<string> = new Set(["initiated", "ringing", "answered", "completed"]);
/** What the real API does and this network does not: refused rather than ignored. */
const NOT_MODELLED = ["Record", "ApplicationSid", "SipAuthUsername", "Byoc", "SendDigits"];

/**
 * Checks the form of a new call.
 * @throws RestRefused with Twilio's code for what is wrong
 */
export function readCallRequest(form: URLSearchParams, isOwn: (e164: string) => boolean): CallRequest {
  const to = form.get("To") ?? "";
  const from = form.get("From") ?? "";
  for (const name of NOT_MODELLED) {
    if (form.has(name)) throw new RestRefused(501, 20_001, `This phone network does not model ${name}.`);
  }
  if (!to) throw new RestRefused(400, 21_201, "No 'To' number is specified");
  if (!from) throw new RestRefused(400, 21_213, "No 'From' number is specified");
  if (!isE164(to))
    throw new RestRefused(400, 21_211, `The phone number you are attempting to call, ${to}, is not valid.`);
  if (!isE164(from)) throw new RestRefused(400, 21_212, `The caller ID ${from} is not a valid phone number.`);
  if (!isOwn(from)) {
    throw new RestRefused(
      400,
      21_210,
      `The source phone number provided, ${from}, is not yet verified for your account.`,
    );
  }
  const source = readSource(form);
  if (!source) throw new RestRefused(400, 21_205, "Url parameter is required.");
  return {
    from,
    to,
    source,
    fallbackUrl: form.get("FallbackUrl") ?? undefined,
    status: readSubscription(form),
    timeoutSeconds: seconds(form, "Timeout", 60),
    timeLimitSeconds: seconds(form, "TimeLimit", 14_400),
    detection: readDetection(form),
  };
}

/** Where the instructions in a form come from; undefined when it has none. `Url` wins over `Twiml`. */
export function readSource(form: URLSearchParams): TwimlSource | undefined {
  const url = form.get("Url");
  const twiml = form.get("Twiml");
  if (url !== null) {
    checkUrl(url);
    return { kind: "voice", url, method: form.get("Method") === "GET" ? "GET" : "POST" };
  }
  if (twiml === null) return undefined;
  if (twiml.length > TWIML_LIMIT) throw new RestRefused(400, 20_001, `Twiml is longer than ${TWIML_LIMIT} characters.`);
  return { kind: "inline", twiml };
}

function readSubscription(form: URLSearchParams): StatusSubscription | undefined {
  const url = form.get("StatusCallback");
  if (!url) return undefined;
  checkUrl(url);
  const asked = form.getAll("StatusCallbackEvent").flatMap((value) => value.split(/[\s,]+/));
  const events = new Set(asked.filter((event): event is StatusEvent => STATUS_EVENTS.has(event)));
  if (events.size === 0) events.add("completed");
  return { url, method: form.get("StatusCallbackMethod") === "GET" ? "GET" : "POST", events };
}

function readDetection(form: URLSearchParams): DialOrder["detection"] {
  const mode = form.get("MachineDetection");
  if (mode !== "Enable" && mode !== "DetectMessageEnd") return undefined;
  const isAsync = form.get("AsyncAmd") === "true";
  return { asyncCallback: isAsync ? (form.get("AsyncAmdStatusCallback") ?? "") : undefined };
}

function checkUrl(url: string): void {
  if (URL.canParse(url) && /^https?:/i.test(url)) return;
  throw new RestRefused(400, 21_205, `Url is not a valid URL: ${url}`);
}

function seconds(form: URLSearchParams, name: string, otherwise: number): number {
  const value = Number(form.get(name) ?? otherwise);
  return Number.isFinite(value) && value > 0 ? value : otherwise;
}
