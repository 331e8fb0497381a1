import type { CarrierEvent } from "../carriers/carrier.ts";
import type { Account } from "./account.ts";
import { type CallParts, view } from "./desk.ts";
import type { LiveCall } from "./live-calls.ts";

/** A message about a leg that asks for no answer. */
export type LegStatus = Exclude<
  CarrierEvent,
  { type: "leg.waiting" } | { type: "leg.returned" } | { type: "recording.reported" }
>;

/** A repeated status is known as such for an hour. */
const REMEMBER_MS = 3_600_000;

/**
 * Takes note of what became of a leg. Durable when it resolves, so that the webhook may be acknowledged.
 * Carriers do not order their messages: a repetition and whatever is older than what we know change nothing.
 */
export async function takeStatus(parts: CallParts, account: Account, status: LegStatus): Promise<void> {
  const { store, clock, logger, calls, finaliser, emit } = parts;
  const ids = { accountId: account.id, legId: status.legId, status: status.type };
  const live = calls.get(status.callId) ?? calls.byLeg(status.legId);
  if (!live || live.account.id !== account.id) {
    logger.debug("A status of a call that is not live was ignored.", ids);
    return;
  }
  if (status.type === "leg.ended") live.legReason ??= status.reason; // also for who ends it while this is written down
  const now = clock.now();
  const claim = await store.claim(`${account.id}:${status.key}`, now, now + REMEMBER_MS);
  if (!claim.first) return;
  if (status.type !== "leg.ended" && status.sequence <= live.lastSequence) {
    logger.debug("A status came late and was ignored.", { ...ids, callId: live.id });
    return;
  }
  live.lastSequence = Math.max(live.lastSequence, status.sequence);
  await write(live, status);
  if (status.type === "leg.unknown")
    logger.warn("The carrier reported a status that is not known.", { ...ids, callId: live.id });
  if (status.type === "leg.ringing") emit("ringing", view(parts, live.journal.call));
  if (status.type !== "leg.ended") return;
  live.onLegEnded?.();
  void finaliser.end(live, { reason: status.reason });
}

async function write(live: LiveCall, status: LegStatus): Promise<void> {
  const { journal } = live;
  switch (status.type) {
    case "leg.accepted":
      live.legId ??= status.legId;
      return journal.write({ type: "leg.accepted", legId: status.legId });
    case "leg.ringing":
      return journal.write({ type: "leg.ringing" });
    case "leg.answered":
      // Who picked up is told by the leg's own request for an answer; this adds only what answered.
      if (status.answeredBy === undefined) return;
      return journal.write({ type: "leg.answered", answeredBy: status.answeredBy });
    case "leg.ended":
      return journal.write({ type: "leg.ended", reason: status.reason, carrierStatus: status.carrierStatus });
    case "leg.unknown":
      return journal.write({
        type: "fault.noted",
        code: "unknown_status",
        message: `The carrier reported "${status.carrierStatus}".`,
      });
    default:
      return status satisfies never;
  }
}
