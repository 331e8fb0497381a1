import { InvalidRequestError } from "../../core/errors.ts";
import { parseE164 } from "../../core/numbers.ts";
import type { Carrier, CarrierEvent, VerifiedRequest } from "../carrier.ts";
import { readVerdict } from "./attestation.ts";
import { describeRecording } from "./recordings.ts";
import { endReason, stateOf } from "./status.ts";
import { CALL_PARAMETER, RECORDING_PARAMETER, RETURN_PARAMETER, type WebhookUrls } from "./urls.ts";

/** What stands for a caller without a number: withheld, unknown, or not on the telephone network. */
const ANONYMOUS = "anonymous";

/** Numbers by which Twilio spells ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN and UNAVAILABLE on a keypad. */
const KEYPAD_WORDS: ReadonlySet<string> = new Set([
  "+266696687",
  "+7378742833",
  "+2562533",
  "+8656696",
  "+86282452253",
]);

/** The account a webhook must belong to. */
interface Account {
  readonly accountSid: string;
  readonly numbers: readonly string[];
}

/**
 * Reads accepted webhooks of one account: `voice` and `resume` ask for instructions, `status` and `recording` report.
 * @see https://www.twilio.com/docs/voice/twiml#request-parameters
 */
export function createParser(account: Account, urls: WebhookUrls): Carrier["parse"] {
  return (request) => {
    const verb = urls.verbOf(request.path);
    const fields = readFields(request);
    const legId = requireField(fields, "CallSid");
    if (!/^[A-Za-z0-9]{2,64}$/.test(legId)) throw new InvalidRequestError("CallSid", "is not a call's id.");
    requireAccount(fields, account);
    const query = readQuery(request);
    const callId = query(CALL_PARAMETER);
    const leg = { legId, ...(callId && { callId }) };
    if (verb === "recording") return readRecording(leg, fields, query(RECORDING_PARAMETER));
    const parties = readParties(fields, account);
    switch (verb) {
      case "voice": {
        const attestation = parties.direction === "inbound" ? readVerdict(fields("StirVerstat")) : undefined;
        return { ...leg, type: "leg.waiting", key: `${legId}:voice`, ...parties, ...(attestation && { attestation }) };
      }
      case "resume":
        return { ...leg, type: "leg.returned", key: `${legId}:resume:${query(RETURN_PARAMETER) ?? ""}` };
      case "status":
        return readStatus(leg, fields, parties.direction);
      default:
        throw new InvalidRequestError("path", "is not that of a webhook.");
    }
  };
}

// --- Internal helpers ---

type Fields = (name: string) => string | undefined;

/** A number's webhook may be set to GET as well as to POST; the fields are in the query then. */
function readFields(request: VerifiedRequest): Fields {
  return request.method === "GET" ? readQuery(request) : single(new URLSearchParams(request.body));
}

function readQuery({ path }: VerifiedRequest): Fields {
  return single(new URLSearchParams(/\?([^#]*)/.exec(path)?.[1] ?? ""));
}

/** A field that is read must not be there twice: which of the two was meant cannot be told. */
function single(form: URLSearchParams): Fields {
  return (name) => {
    const values = form.getAll(name);
    if (values.length > 1) throw new InvalidRequestError(name, "is there more than once.");
    return values[0] || undefined;
  };
}

function requireField(fields: Fields, name: string): string {
  const value = fields(name);
  if (value === undefined) throw new InvalidRequestError(name, "is missing.");
  return value;
}

function requireAccount(fields: Fields, { accountSid }: Account): void {
  if (requireField(fields, "AccountSid") === accountSid) return;
  throw new InvalidRequestError("AccountSid", "is another account's.");
}

function readParties(fields: Fields, { numbers }: Account) {
  const direction = readDirection(requireField(fields, "Direction"));
  const from = readParty(fields("From"));
  const to = readParty(fields("To"));
  const [ours, name] = direction === "inbound" ? [to, "To"] : [from, "From"];
  if (!numbers.includes(ours)) {
    throw new InvalidRequestError(
      name,
      "is none of the account's numbers. Add it to the account, or correct the webhook.",
    );
  }
  return { direction, from, to } as const;
}

function readDirection(text: string): "inbound" | "outbound" {
  if (text === "inbound") return "inbound";
  if (text.startsWith("outbound")) return "outbound";
  throw new InvalidRequestError("Direction", "is neither inbound nor outbound.");
}

function readParty(raw: string | undefined): string {
  const number = raw === undefined || KEYPAD_WORDS.has(raw.trim()) ? undefined : parseE164(raw);
  return number ?? ANONYMOUS;
}

function readStatus(
  leg: { legId: string; callId?: string },
  fields: Fields,
  direction: "inbound" | "outbound",
): CarrierEvent {
  const status = requireField(fields, "CallStatus");
  const counted = fields("SequenceNumber") ?? "0";
  if (!/^\d{1,9}$/.test(counted)) throw new InvalidRequestError("SequenceNumber", "is not a number.");
  const sequence = Number(counted);
  const report = { ...leg, key: `${leg.legId}:status:${sequence}:${status}`, sequence };
  switch (stateOf(status)) {
    case "queued":
      return { ...report, type: "leg.accepted" };
    case "ringing":
      return { ...report, type: "leg.ringing" };
    case "active": {
      const answeredBy = fields("AnsweredBy");
      return { ...report, type: "leg.answered", ...(answeredBy && { answeredBy }) };
    }
    case "ended": {
      const facts = { status, direction, sipCode: fields("SipResponseCode"), errorCode: fields("ErrorCode") };
      return { ...report, type: "leg.ended", reason: endReason(facts), carrierStatus: status };
    }
    default:
      return { ...report, type: "leg.unknown", carrierStatus: status };
  }
}

/** What became of a recording. Such a message names no parties. */
function readRecording(
  leg: { legId: string; callId?: string },
  fields: Fields,
  recordingId: string | undefined,
): CarrierEvent {
  if (recordingId === undefined) throw new InvalidRequestError(RECORDING_PARAMETER, "is missing.");
  const sid = requireField(fields, "RecordingSid");
  if (!/^[A-Za-z0-9]{2,64}$/.test(sid)) throw new InvalidRequestError("RecordingSid", "is not a recording's id.");
  const status = requireField(fields, "RecordingStatus");
  const recording = describeRecording(sid, status, fields("RecordingDuration"));
  return { ...leg, type: "recording.reported", key: `${leg.legId}:recording:${sid}:${status}`, recordingId, recording };
}
