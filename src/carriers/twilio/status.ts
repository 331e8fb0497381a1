import type { EndReason } from "../../core/events.ts";
import type { LegState } from "../carrier.ts";

/** Where a leg is, by Twilio's `CallStatus`; an unknown word is nowhere and ends nothing. */
const STATES: ReadonlyMap<string, LegState["state"]> = new Map([
  ["queued", "queued"],
  ["initiated", "queued"],
  ["ringing", "ringing"],
  ["in-progress", "active"],
  ["answered", "active"],
  ["completed", "ended"],
  ["busy", "ended"],
  ["failed", "ended"],
  ["no-answer", "ended"],
  ["canceled", "ended"],
]);

/** What the network answered to an outbound leg (SIP, RFC 3261 and RFC 8197/8688). */
const SIP_REASONS: ReadonlyMap<string, EndReason> = new Map([
  ["403", "rejected"],
  ["404", "invalid_number"],
  ["408", "no_answer"],
  ["410", "invalid_number"],
  ["480", "no_answer"],
  ["484", "invalid_number"],
  ["486", "busy"],
  ["600", "busy"],
  ["603", "rejected"],
  ["604", "invalid_number"],
  ["607", "rejected"],
  ["608", "rejected"],
]);

/** Twilio's error codes that say why an outbound leg failed. */
const ERROR_REASONS: ReadonlyMap<string, EndReason> = new Map([
  ["13223", "invalid_number"],
  ["13224", "invalid_number"],
  ["13225", "not_allowed"],
  ["13226", "invalid_number"],
  ["13227", "not_allowed"],
  ["21211", "invalid_number"],
  ["21214", "invalid_number"],
  ["21215", "not_allowed"],
  ["21217", "invalid_number"],
]);

/** What is known of a leg's end. */
export interface EndFacts {
  readonly status: string;
  readonly direction: "inbound" | "outbound";
  readonly sipCode?: string | undefined;
  readonly errorCode?: string | undefined;
}

/** Where a leg with this `CallStatus` is. */
export function stateOf(status: string): LegState["state"] {
  return STATES.get(status) ?? "unknown";
}

/**
 * Why a leg is over. Twilio does not say who hung up a completed call: it is the other party, unless we had asked for
 * the end ourselves, which the call's own journal knows.
 */
export function endReason({ status, direction, sipCode = "", errorCode = "" }: EndFacts): EndReason {
  switch (status) {
    case "completed":
      return direction === "inbound" ? "caller_hangup" : "callee_hangup";
    case "canceled":
      return direction === "inbound" ? "caller_hangup" : "cancelled";
    case "busy":
      return SIP_REASONS.get(sipCode) === "rejected" ? "rejected" : "busy";
    case "no-answer":
      return "no_answer";
    default:
      return ERROR_REASONS.get(errorCode) ?? SIP_REASONS.get(sipCode) ?? "carrier_error";
  }
}
