import { type Call, callerNumber } from "../core/call.ts";
import { sleep } from "../core/clock.ts";
import type { Afterwards } from "../core/events.ts";
import type { RecordResult } from "../hosts/host.ts";
import { findOutcome } from "./afterwards/outcome.ts";
import { isTooLate, type PostCallParts, type Step, tried, wasAnswered } from "./afterwards/step.ts";
import { sendCard, sendNotices, wakeAgent } from "./afterwards/tell.ts";
import type { CallJournal, Unstamped } from "./journal.ts";

export type { PostCallParts } from "./afterwards/step.ts";

/**
 * What comes after a call, outside its path: each step once, whenever the process stops, and again after the next start
 * where it failed. One step's failure holds up only those that need it. Never rejects.
 */
export async function finishAfterwards(journal: CallJournal, parts: PostCallParts): Promise<void> {
  await untilEnded(journal, parts);
  for (const step of STEPS) {
    if (parts.signal.aborted) return;
    if (step.isDone(journal.call) || !step.isReady(journal.call)) continue;
    try {
      const events = await step.run(journal.call, parts);
      await tried(parts, journal.call, step.name, () => journal.write(...events));
    } catch (error) {
      if (parts.signal.aborted) return;
      parts.host.logger.error("A step after the call failed; it is tried again after the next start.", {
        callId: journal.call.id,
        step: step.name,
        error: String(error),
      });
    }
  }
}

// --- Internal helpers ---

/** A disk that was away may not have taken the end yet: what comes after a call is made of all that is durable of it. */
async function untilEnded(journal: CallJournal, { clock, signal }: PostCallParts): Promise<void> {
  while (journal.call.state !== "ended" && !signal.aborted) {
    await sleep(clock, LOOK_AGAIN_MS, signal).catch(() => {}); // stopped: the loop ends
    await journal.flush();
  }
}

/** How often it is looked whether the end of a call stands. */
const LOOK_AGAIN_MS = 500;

/**
 * The order: the session first, because the person may write there as soon as they have hung up, and it needs nothing.
 * Then what the call came to, which all others tell. What is kept (note, history) comes before who is told: they may act
 * at once and must find it. The card goes before the notices, which leave out where it went; the agent is woken last,
 * when its session, memory and history hold the call.
 */
const STEPS: readonly Step[] = [
  {
    name: "session.recorded",
    isDone: ({ recorded }) => recorded,
    isReady: () => true,
    async run(call, parts) {
      const { how, rows } = await tried(parts, call, "session.recorded", () => recordTurns(call, parts));
      return [{ type: "session.recorded", how, rows }];
    },
  },
  {
    name: "outcome",
    isDone: isDone("outcome"),
    isReady: () => true,
    async run(call, parts) {
      if (isTooLate(call, parts)) return [done("outcome", "too late")];
      const asked = await tried(parts, call, "outcome", () => parts.callers.asked(call));
      const found = await findOutcome(call, asked, parts);
      return [{ type: "outcome.found", ...found }, done("outcome", found.madeBy)];
    },
  },
  {
    name: "memory.written",
    isDone: ({ noted }) => noted,
    isReady: isDone("outcome"),
    async run(call, parts) {
      const asked = await tried(parts, call, "memory.written", () => parts.callers.asked(call));
      const file = await tried(parts, call, "memory.written", () => parts.writeNote(call, asked));
      return [{ type: "memory.written", file: file ?? "" }];
    },
  },
  {
    name: "history",
    isDone: isDone("history"),
    isReady: isDone("outcome"),
    async run(call, parts) {
      const { outcome } = call;
      // Who rang and was not let in has no history: numbers can be had by the thousand.
      if (!wasAnswered(call) && call.direction === "inbound") return [done("history", "none")];
      if (!outcome) return [done("history", "too late")];
      await tried(parts, call, "history", () => parts.callers.afterCall(call, outcome));
      return [done("history", "kept")];
    },
  },
  telling("card", isDone("outcome"), sendCard),
  telling("notice", isDone("outcome"), sendNotices),
  telling("wake", (call) => call.recorded && isDone("outcome")(call), wakeAgent),
];

/** A step that disturbs somebody: not for a call of the day before yesterday. */
function telling(
  step: Afterwards,
  isReady: (call: Call) => boolean,
  tell: (call: Call, parts: PostCallParts) => Promise<string>,
): Step {
  return {
    name: step,
    isDone: isDone(step),
    isReady,
    run: async (call, parts) => [done(step, isTooLate(call, parts) ? "too late" : await tell(call, parts))],
  };
}

function isDone(step: Afterwards): (call: Call) => boolean {
  return ({ afterwards }) => afterwards.includes(step);
}

function done(step: Afterwards, result: string): Unstamped {
  return { type: "afterwards.done", step, result };
}

async function recordTurns(
  call: Call,
  { host, account, signal }: Pick<PostCallParts, "host" | "account" | "signal">,
): Promise<RecordResult> {
  const { id: callId, agentId, sessionKey, accountId, trust, answeredAtMs, transcript: entries } = call;
  if (agentId === undefined || sessionKey === undefined || answeredAtMs === undefined || entries.length === 0) {
    return { how: "withheld", rows: 0 }; // nobody talked
  }
  // An agent that talked itself took each turn as a message of that very session.
  const ownSession = trust === "owner" || account.sessionScope === "per-call";
  if (account.brain === "agent" && ownSession) return { how: "rows", rows: 0 };
  const record = { callId, agentId, sessionKey, accountId, trust, answeredAtMs, entries, number: callerNumber(call) };
  return host.record(record, signal);
}
