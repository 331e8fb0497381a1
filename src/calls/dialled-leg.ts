import { type Call, callerNumber } from "../core/call.ts";
import type { Account } from "./account.ts";
import type { CallParts } from "./desk.ts";
import type { LiveCall } from "./live-calls.ts";

const ASK_WITHIN_MS = 8_000;
/** So many of a person's newest calls may have been placed at about the same time. */
const NEIGHBOURS = 20;

/**
 * Which leg an order to dial made whose answer never came, by the carrier's own list. Absent: none that is this call's
 * for certain, or the carrier cannot be asked. Never rejects.
 */
export async function dialledLeg(
  { store, stopping }: Pick<CallParts, "store" | "stopping">,
  { id: accountId, carrier }: Account,
  call: Call,
): Promise<string | undefined> {
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(ASK_WITHIN_MS)]);
  const { from, to, createdAtMs: atMs } = call;
  try {
    const legId = await carrier.findDialled({ from, to, atMs }, signal);
    if (legId === undefined) return undefined;
    const { calls } = await store.calls({ accountId, caller: callerNumber(call), limit: NEIGHBOURS });
    return calls.some((other) => other.id !== call.id && other.legId === legId) ? undefined : legId;
  } catch {
    return undefined; // whoever needs to know asks again
  }
}

/** Finds out which leg a live call that was placed has, where that is not known. Never rejects. */
export async function learnLeg(parts: CallParts, live: LiveCall): Promise<void> {
  const { journal, account } = live;
  if (live.legId !== undefined || live.ending) return;
  const legId = await dialledLeg(parts, account, journal.call);
  if (legId === undefined || live.ending) return;
  live.legId ??= legId;
  journal.note({ type: "leg.accepted", legId: live.legId });
}
