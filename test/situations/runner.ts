import { Conversation } from "../../src/calls/conversation.ts";
import { CallJournal } from "../../src/calls/journal.ts";
import { Ticker } from "../../src/calls/ticker.ts";
import type { TranscriptEntry } from "../../src/core/transcript.ts";
import { silentLogger } from "../../src/logger.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { handClock } from "../calls/clock.ts";
import { CONVERSATION_ACCOUNT } from "../calls/conversation-account.ts";
import { Line, type Run } from "./line.ts";
import { Model } from "./model.ts";
import { random } from "./random.ts";
import type { Situation } from "./situation.ts";
import type { Wave } from "./waves.ts";

/** What is left of a call once it is over. */
export interface Played {
  /** Both ends as they sounded: the caller left, the agent right. WAV. */
  readonly tape: Buffer;
  /** The agent's speech that was meant, and what of it sounded when. */
  readonly speech: Buffer;
  readonly runs: readonly Run[];
  /** What the model was told that was heard of that speech; absent when it was said whole. */
  readonly heardMs: number | undefined;
  /** Why the model was asked to speak. */
  readonly asked: readonly string[];
  /** Timers that still run two seconds after its end. */
  readonly leftTimers: number;
}

/** How long a call is followed after all should have been said. */
const AFTER_MS = 20_000;

/** Holds one call on the clock's hand: a real conversation between a line and a model that follow the situation. */
export async function play(situation: Situation): Promise<Played> {
  const clock = handClock();
  const store = memoryStore();
  await store.start();
  const over = new AbortController();
  const journal = new CallJournal({
    callId: "call_1",
    store,
    clock,
    logger: silentLogger,
    onDurable: () => {},
    signal: over.signal,
  });
  const written = new Set<string>();
  const model = new Model({ clock, random: random(situation.seed), ...situation });
  const line = new Line({ clock, random: random(situation.seed), ...situation });
  const conversation = new Conversation({
    account: CONVERSATION_ACCOUNT,
    journal,
    tools: () => [],
    clock,
    ticker: new Ticker(clock),
    logger: silentLogger,
    emit: (name, ...payload) => {
      if (name === "transcript") written.add((payload[0] as TranscriptEntry).id);
    },
    openers: [async () => model],
    onMediaClosed: () => {},
    onLeave: () => {},
  });
  await conversation.prepare();
  conversation.attach(line, clock.now());
  const meant = (situation.during === "greeting" ? situation.greeting : situation.answers[0]) as Wave;
  const isWritten = () => written.has(model.itemOf.get(meant) ?? "");
  const lastMs = Math.max(situation.untilMs, situation.speechUntilMs) + AFTER_MS;
  for (let ms = 0; ms < lastMs && !isOver(situation, line, model, isWritten()); ms += 20) {
    clock.pass(20);
    if (ms % 1_000 === 0) await new Promise(setImmediate); // the journal writes
  }
  conversation.close();
  clock.pass(2_000); // what is on its way arrives
  over.abort();
  await journal.flush();
  const itemId = model.itemOf.get(meant) ?? "";
  return {
    tape: line.tape(),
    speech: model.items.get(itemId) ?? Buffer.alloc(0),
    runs: line.runs,
    heardMs: model.truncated.get(itemId),
    asked: model.asked,
    leftTimers: clock.running,
  };
}

// --- Internal helpers ---

/** A call in which nothing more can happen need not be followed to its end. */
function isOver({ expect, untilMs }: Situation, line: Line, model: Model, written: boolean): boolean {
  if (!written || line.recordedMs < untilMs + 1_500) return false;
  return expect === "whole" || model.truncated.size === 0 || line.recordedMs > untilMs + 4_000;
}
