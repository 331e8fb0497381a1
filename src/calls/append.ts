import { CallNotFoundError } from "../core/errors.ts";
import { type CallParts, openJournal } from "./desk.ts";
import type { Unstamped } from "./journal.ts";

/**
 * Appends to the journal of a call from outside its course: by its owner while it is live, else directly. Durable when
 * it resolves. @throws CallNotFoundError @throws StoreError
 */
export async function appendTo(parts: CallParts, callId: string, ...events: Unstamped[]): Promise<void> {
  const live = parts.calls.get(callId);
  if (live) return live.journal.write(...events);
  const call = await parts.store.call(callId);
  if (!call) throw new CallNotFoundError(callId);
  return openJournal(parts, callId, { call, seq: 0 }).write(...events);
}
