import { type Call, callerNumber } from "../core/call.ts";
import { type Clock, sleep } from "../core/clock.ts";
import type { Host, RecordResult } from "../hosts/host.ts";
import type { CallJournal } from "./journal.ts";

export interface PostCallParts {
  readonly host: Host;
  readonly clock: Clock;
  /** Writes the daily note; resolves with its file, or nothing when there is no place for one. */
  readonly writeNote: (call: Call) => Promise<string | undefined>;
  /** Aborted when the process stops: what is not done then is done after the next start. */
  readonly signal: AbortSignal;
}

/** Waits between attempts; after the last one the work waits for the next start. */
const RETRY_AFTER_MS = [1_000, 5_000, 30_000, 120_000];

/** What comes after a call, outside its path: its turns into the person's session, its note into the daily file. Resumable, each step once. */
export async function finishAfterwards(journal: CallJournal, parts: PostCallParts): Promise<void> {
  if (!journal.call.recorded) {
    const result = await persist(parts, "session.recorded", () => recordTurns(journal.call, parts));
    await journal.write({ type: "session.recorded", how: result.how, rows: result.rows });
  }
  if (!journal.call.noted) {
    const file = await persist(parts, "memory.written", () => parts.writeNote(journal.call));
    await journal.write({ type: "memory.written", file: file ?? "" });
  }
}

// --- Internal helpers ---

async function recordTurns(call: Call, { host, signal }: PostCallParts): Promise<RecordResult> {
  const { id: callId, agentId, sessionKey, accountId, trust, answeredAtMs, transcript: entries } = call;
  if (agentId === undefined || sessionKey === undefined || answeredAtMs === undefined || entries.length === 0) {
    return { how: "withheld", rows: 0 }; // nobody talked
  }
  const record = { callId, agentId, sessionKey, accountId, trust, answeredAtMs, entries, number: callerNumber(call) };
  return host.record(record, signal);
}

async function persist<Result>(
  { host, clock, signal }: PostCallParts,
  step: string,
  work: () => Promise<Result>,
): Promise<Result> {
  for (const delayMs of RETRY_AFTER_MS) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      host.logger.warn("A step after the call failed and will be tried again.", {
        step,
        delayMs,
        error: String(error),
      });
      await sleep(clock, delayMs, signal);
    }
  }
  return work();
}
