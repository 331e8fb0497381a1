import { type Call, isSettled } from "../../core/call.ts";
import { AFTERWARDS, type CallEvent, type JournalEntry } from "../../core/events.ts";
import type { Store } from "../../stores/store.ts";
import { allCalls } from "../all-calls.ts";
import type { LatencyPart } from "./timings.ts";

/** What is done after a call, as numbers name it. */
export const STEPS = ["record", "note", ...AFTERWARDS] as const;
export type Step = (typeof STEPS)[number];

/** A latency that an entry completes. */
export interface Latency {
  readonly part: LatencyPart;
  readonly ms: number;
}

/** What an entry says beside itself. */
export interface Observed {
  readonly latency?: Latency;
  /** Whether it is the end of its call: the first one, if there are several. */
  readonly hasEnded: boolean;
}

/** What is remembered of a call that is not over. */
interface Open {
  lastEntryAtMs: number;
  /** When the caller's turn ended that the agent has not begun to answer. */
  turnEndedAtMs?: number;
  /** Tools that run: whether each is a question to the agent. */
  readonly tools: Map<string, boolean>;
}

/** Between two owners a call may have none for a moment. */
const ORPHAN_AFTER_MS = 30_000;

/**
 * Follows all calls by what becomes durable of them: how long things took, which are open, and what is still to be done
 * after those that are over. Words and numbers of people are not kept.
 */
export class CallWatch {
  readonly #open = new Map<string, Open>();
  readonly #unsettled = new Map<string, readonly Step[]>();

  /** Takes in a durable entry with the call as it is after it. */
  observe({ event }: JournalEntry, call: Call): Observed {
    if (call.id === "") return NOTHING; // a journal without a call
    if (call.state === "ended") return this.#afterEnd(event, call);
    if (event.type === "call.released") {
      this.#open.delete(call.id); // the next process has it
      return NOTHING;
    }
    const open = this.#open.get(call.id) ?? { lastEntryAtMs: event.atMs, tools: new Map<string, boolean>() };
    open.lastEntryAtMs = event.atMs;
    this.#open.set(call.id, open);
    const latency = completed(open, event);
    return latency ? { latency, hasEnded: false } : NOTHING;
  }

  #afterEnd(event: CallEvent, call: Call): Observed {
    const isFirst = this.#open.delete(call.id) || !this.#unsettled.has(call.id);
    if (isSettled(call)) {
      this.#unsettled.delete(call.id);
      return NOTHING; // its end is long past
    }
    this.#unsettled.set(call.id, stepsLeft(call));
    return isFirst && event.type === "call.ended" ? { hasEnded: true } : NOTHING;
  }

  /**
   * Looks which calls the store has as open: those that were not heard of here are watched from now on, and those that
   * ended elsewhere no longer. @throws StoreError
   */
  async sweep(store: Pick<Store, "calls">, nowMs: number): Promise<void> {
    const stored = new Set<string>();
    for await (const { id } of allCalls(store, { only: "open", limit: PAGE })) stored.add(id);
    for (const [id, { lastEntryAtMs }] of this.#open) {
      if (!stored.delete(id) && nowMs - lastEntryAtMs >= ORPHAN_AFTER_MS) this.#open.delete(id);
    }
    for (const id of stored) this.#open.set(id, { lastEntryAtMs: nowMs, tools: new Map() });
  }

  /** Calls that are open and that nobody has, as `isOwned` says: there is to be none. */
  orphans(isOwned: (callId: string) => boolean, nowMs: number): readonly string[] {
    const found: string[] = [];
    for (const [id, { lastEntryAtMs }] of this.#open) {
      if (nowMs - lastEntryAtMs >= ORPHAN_AFTER_MS && !isOwned(id)) found.push(id);
    }
    return found;
  }

  /** How many calls still wait for each step of the work after them. */
  waiting(): Readonly<Record<Step, number>> {
    const waiting = Object.fromEntries(STEPS.map((step) => [step, 0])) as Record<Step, number>;
    for (const steps of this.#unsettled.values()) for (const step of steps) waiting[step] += 1;
    return waiting;
  }
}

// --- Internal helpers ---

/** How the engine asks the agent. */
const CONSULT_TOOL = "ask_openclaw";

/** Whole calls are read, with their words: a few at a time hold nothing else up. */
const PAGE = 20;

const NOTHING: Observed = { hasEnded: false };

/** The latency that an event completes. */
function completed(open: Open, event: CallEvent): Latency | undefined {
  switch (event.type) {
    case "speech.stopped":
      if (event.speaker === "caller") open.turnEndedAtMs = event.atMs;
      return undefined;
    case "speech.started": {
      const fromMs = open.turnEndedAtMs;
      delete open.turnEndedAtMs;
      if (event.speaker === "caller" || fromMs === undefined) return undefined;
      return { part: "first_audio", ms: event.atMs - fromMs };
    }
    case "tool.called":
      open.tools.set(event.toolCallId, event.name === CONSULT_TOOL);
      return undefined;
    case "tool.finished": {
      const isConsult = open.tools.get(event.toolCallId);
      open.tools.delete(event.toolCallId);
      return isConsult === undefined ? undefined : { part: isConsult ? "consult" : "tool", ms: event.durationMs };
    }
    default:
      return undefined;
  }
}

function stepsLeft({ recorded, noted, afterwards }: Call): readonly Step[] {
  const done: readonly Step[] = [
    ...afterwards,
    ...(recorded ? ["record" as const] : []),
    ...(noted ? ["note" as const] : []),
  ];
  return STEPS.filter((step) => !done.includes(step));
}
