import { createHash } from "node:crypto";
import type { CallSummary } from "../core/call.ts";
import {
  CarrierRefusedError,
  CarrierUnreachableError,
  InvalidRequestError,
  NotAllowedError,
  VoiceError,
} from "../core/errors.ts";
import { requireE164 } from "../core/numbers.ts";
import type { Account } from "./account.ts";
import { type CallParts, goLive, newCallId, openJournal, view } from "./desk.ts";
import { learnLeg } from "./dialled-leg.ts";
import type { LiveCall } from "./live-calls.ts";

/** An outbound call that somebody asks for. */
export interface Placement {
  /** Whom to ring, E.164. */
  readonly to: string;
  /** Which of the account's numbers shows; its main number unless told. */
  readonly from?: string;
  /** What is said first, word for word, once they answer. */
  readonly message?: string;
  /** Why the call is made; the model is told. */
  readonly purpose?: string;
  /** The conversation elsewhere that the call goes on with, such as a text session that says "call me": the host's key of it. */
  readonly continues?: string;
  /** The same id places the same call once, however often it is asked for. */
  readonly requestId?: string;
}

/** Longer messages are refused: nobody listens to them. */
const MAX_TEXT = 2_000;
/** Longer keys are no session's. */
const MAX_SESSION_KEY = 500;
/** The carrier must have said something about a leg after so long: ringing takes a minute. */
const HEARD_OF_WITHIN_MS = 100_000;

/**
 * Rings somebody. Resolves once the carrier has accepted the order; what follows comes as events.
 * The call stands in the store before anything is dialled.
 * @throws VoiceError nothing was dialled, unless it is `carrier_unreachable`: then the call goes on being watched
 */
export async function placeCall(parts: CallParts, account: Account, placement: Placement): Promise<CallSummary> {
  const order = check(account, placement);
  const { requestId } = placement;
  if (requestId === undefined) return place(parts, account, newCallId(), placement, order);
  const callId = requestedCallId(account, requestId);
  return parts.calls.oneByOne(callId, async () => {
    const placed = parts.calls.get(callId)?.journal.call ?? (await parts.store.call(callId));
    return placed ? view(parts, placed) : place(parts, account, callId, placement, order);
  });
}

// --- Internal helpers ---

/** The id of the call that a request places: the request can find it again, also after a restart. */
function requestedCallId({ id }: Account, requestId: string): string {
  const hash = createHash("sha256").update(JSON.stringify([id, requestId]));
  return `call_${hash.digest("hex").slice(0, 32)}`;
}

async function place(
  parts: CallParts,
  account: Account,
  callId: string,
  placement: Placement,
  order: { to: string; from: string },
): Promise<CallSummary> {
  parts.calls.countPlacement(account, parts.clock.now());
  const live = await writeDown(parts, account, callId, placement, order);
  await dial(parts, live, order);
  return view(parts, live.journal.call);
}

function check(account: Account, { to, from, message, purpose, continues }: Placement): { to: string; from: string } {
  const number = requireE164(to, "to");
  const own = from === undefined ? (account.numbers[0] as string) : requireE164(from, "from");
  if (!account.numbers.includes(own)) {
    throw new NotAllowedError(`from: ${own} is not a number of the account. It has ${account.numbers.join(", ")}.`);
  }
  if (account.numbers.includes(number)) throw new NotAllowedError(`to: ${number} is the account's own number.`);
  for (const [field, text] of Object.entries({ message, purpose })) {
    if (text !== undefined && text.length > MAX_TEXT)
      throw new InvalidRequestError(field, `is longer than ${MAX_TEXT} characters.`);
  }
  if (continues !== undefined && (continues.trim() === "" || continues.length > MAX_SESSION_KEY)) {
    throw new InvalidRequestError("continues", "must be the key of a session.");
  }
  return { to: number, from: own };
}

async function writeDown(
  parts: CallParts,
  account: Account,
  callId: string,
  { message, purpose, continues }: Placement,
  order: { to: string; from: string },
) {
  const identity = await parts.identifyCallee(account, order.to, callId);
  const { agentId, sessionKey, principal } = identity.route;
  const journal = openJournal(parts, callId);
  await journal.write(
    {
      type: "call.created",
      callId,
      accountId: account.id,
      direction: "outbound",
      transport: "media-stream",
      ...order,
      ...(message !== undefined && { message }),
      ...(purpose !== undefined && { purpose }),
      ...(continues !== undefined && { continues }),
    },
    {
      type: "caller.routed",
      agentId,
      sessionKey,
      trust: identity.admission.trust,
      ...(principal !== undefined && { principal }),
    },
    { type: "leg.dialling" },
  );
  return goLive(parts, account, journal);
}

async function dial(parts: CallParts, live: LiveCall, order: { to: string; from: string }): Promise<void> {
  const { carrier, limits } = live.account;
  live.timers.push(parts.clock.after(HEARD_OF_WITHIN_MS, () => void reconcile(parts, live)));
  try {
    const legId = await carrier.dial(
      { callId: live.id, timeLimitSeconds: limits.maxCallSeconds + 60, ...order },
      AbortSignal.timeout(15_000),
    );
    live.legId ??= legId;
    await live.journal.write({ type: "leg.accepted", legId });
  } catch (error) {
    if (error instanceof CarrierUnreachableError) {
      // It may have dialled all the same: its messages, or its silence, will tell.
      live.journal.note({ type: "fault.noted", code: error.code, message: error.message });
    } else {
      const code = error instanceof VoiceError ? error.code : "internal";
      live.journal.note({ type: "fault.noted", code, message: String(error) });
      await parts.finaliser.end(live, {
        reason: error instanceof CarrierRefusedError ? error.endReason : "carrier_error",
      });
    }
    throw error;
  }
}

/** Nobody has answered and nothing was heard for long: the carrier is asked, not our memory. */
async function reconcile(parts: CallParts, live: LiveCall): Promise<void> {
  if (live.journal.call.answeredAtMs !== undefined) return;
  await learnLeg(parts, live);
  if (live.ending) return;
  if (live.legId === undefined) return void parts.finaliser.end(live, { reason: "carrier_error" });
  await parts.finaliser.mediaEnded(live, "lost");
}
