import type { Call } from "../core/call.ts";
import type { Account } from "./account.ts";
import { type CallParts, openJournal } from "./desk.ts";
import type { CallJournal } from "./journal.ts";

/** Calls of an earlier process: those it left open, and those after which it left work undone. */
export interface Leftovers {
  readonly open: readonly Call[];
  readonly unfinished: readonly Call[];
}

/** What an earlier process left of an account. To be asked before the account takes calls: later ones are our own. */
export async function findLeftovers({ store }: CallParts, accountId: string): Promise<Leftovers> {
  const [open, unfinished] = await Promise.all([
    store.calls({ accountId, only: "open", limit: 500 }),
    store.calls({ accountId, only: "unfinished", limit: 500 }),
  ]);
  return { open: open.calls, unfinished: unfinished.calls };
}

/**
 * Closes the calls that an earlier process left open, then does what it did not get done after its calls: `finish` is
 * told each one's journal. Without this they would count as live for ever.
 */
export async function clearLeftovers(
  parts: CallParts,
  account: Account,
  { open, unfinished }: Leftovers,
  finish: (journal: CallJournal) => Promise<void>,
): Promise<void> {
  const closed: Call[] = [];
  for (const call of open) {
    if (parts.stopping.aborted) return;
    closed.push(await close(parts, account, call, parts.stopping));
  }
  for (const call of [...unfinished, ...closed]) {
    if (parts.stopping.aborted) return;
    await finish(openJournal(parts, call.id, { call, seq: 0 }));
  }
}

// --- Internal helpers ---

/** By the carrier's truth: a leg that still lives there is hung up, one that is over gives its reason. */
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
