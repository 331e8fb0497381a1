import type { Call } from "../../core/call.ts";
import { type Clock, sleep } from "../../core/clock.ts";
import type { ChannelAddress, Host } from "../../hosts/host.ts";
import type { Store } from "../../stores/store.ts";
import type { Account } from "../account.ts";
import type { AskedOnCall, CallerBook } from "../callers.ts";
import type { Unstamped } from "../journal.ts";

/** What the work after a call is done with. */
export interface PostCallParts {
  readonly host: Host;
  readonly store: Pick<Store, "journal" | "claim" | "settle">;
  readonly callers: CallerBook;
  readonly account: Pick<Account, "agentId" | "timeZone" | "owner" | "afterCall" | "brain" | "sessionScope">;
  readonly clock: Clock;
  /** Where else the person of the call is reached, as the host's links and our own say. */
  readonly linked: (call: Call) => Promise<readonly ChannelAddress[]>;
  /** Writes the daily note; resolves with its file, or nothing when there is no place for one. */
  readonly writeNote: (call: Call, asked: AskedOnCall) => Promise<string | undefined>;
  /** Aborted when the process stops: what is not done then is done after the next start. */
  readonly signal: AbortSignal;
}

/** One step of the work after a call. What it resolves with is written into the journal, and then it is done. */
export interface Step {
  readonly name: string;
  readonly isDone: (call: Call) => boolean;
  /** Whether what it needs of earlier steps is there. */
  readonly isReady: (call: Call) => boolean;
  readonly run: (call: Call, parts: PostCallParts) => Promise<readonly Unstamped[]>;
}

/** Waits between attempts; after the last one the work waits for the next start. */
const RETRY_AFTER_MS = [1_000, 5_000, 30_000, 120_000];

/** Does one thing, and again when it fails, five times at most. Rejects at once when `signal` is aborted. */
export async function tried<Result>(
  { host, clock, signal }: Pick<PostCallParts, "host" | "clock" | "signal">,
  call: Call,
  step: string,
  work: () => Promise<Result>,
): Promise<Result> {
  for (const delayMs of RETRY_AFTER_MS) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      host.logger.warn("A step after the call failed and will be tried again.", {
        callId: call.id,
        step,
        delayMs,
        error: String(error),
      });
      await sleep(clock, delayMs, signal);
    }
  }
  return work();
}

/** Whether the call reached the agent and somebody was on the line. */
export function wasAnswered(call: Call): boolean {
  return call.answeredAtMs !== undefined && call.agentId !== undefined;
}

/** Nobody wants to hear today of the day before yesterday. */
const TOO_LATE_MS = 24 * 60 * 60 * 1_000;

/** Whether a call ended more than a day ago, because the process stood still or the step did not exist then. */
export function isTooLate(call: Call, { clock }: Pick<PostCallParts, "clock">): boolean {
  return clock.now() - (call.endedAtMs ?? call.createdAtMs) > TOO_LATE_MS;
}
