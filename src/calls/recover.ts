import type { Call } from "../core/call.ts";
import type { Account } from "./account.ts";
import { type CallParts, openJournal } from "./desk.ts";

/**
 * Closes the calls that an earlier process left open, by the carrier's truth: one that still lives there is hung up,
 * one that is over gets the carrier's reason. Without this they would count as live for ever. Says how they ended.
 */
export async function closeLeftovers(parts: CallParts, account: Account, calls: readonly Call[]): Promise<Call[]> {
  const closed: Call[] = [];
  for (const call of calls) {
    if (parts.stopping.aborted) break;
    closed.push(await close(parts, account, call, parts.stopping));
  }
  return closed;
}

async function close(parts: CallParts, account: Account, call: Call, signal: AbortSignal): Promise<Call> {
  const { store, logger } = parts;
  const journal = openJournal(parts, call.id, { call, seq: (await store.journal(call.id)).at(-1)?.seq ?? 0 });
  const state =
    call.legId === undefined ? undefined : await account.carrier.fetchState(call.legId, signal).catch(() => undefined);
  if (call.legId !== undefined && state?.state !== "ended") {
    await account.carrier.hangUp(call.legId, signal).catch((error: unknown) => {
      logger.warn("A call left open by an earlier process could not be hung up.", {
        callId: call.id,
        error: String(error),
      });
    });
  }
  const reason = call.endRequested ?? (state?.state === "ended" ? state.reason : undefined) ?? "lost";
  await journal.write({ type: "call.ended", reason, longestSilenceMs: 0 });
  logger.info("A call left open by an earlier process was closed.", { callId: call.id, reason });
  return journal.call;
}
