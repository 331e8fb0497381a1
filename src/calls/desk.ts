import { randomUUID } from "node:crypto";
import type { Answer, CarrierReply } from "../carriers/carrier.ts";
import { type Call, summarise } from "../core/call.ts";
import { type Clock, sleep } from "../core/clock.ts";
import type { JournalEntry, Trust } from "../core/events.ts";
import type { Logger, Route } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";
import type { Account } from "./account.ts";
import type { Conversation } from "./conversation.ts";
import type { Emit } from "./conversation-parts.ts";
import type { Finaliser } from "./finalise.ts";
import { CallJournal } from "./journal.ts";
import type { JournalFeed } from "./journal-feed.ts";
import type { LiveCall, LiveCalls } from "./live-calls.ts";
import type { StreamTokens } from "./stream-tokens.ts";

/** Who somebody is to the host, as the use cases need it. */
export interface Identity {
  readonly route: Route;
  readonly admission: { readonly allowed: boolean; readonly reason: string; readonly trust: Trust };
}

/** What the use cases of calls share. One per plugin. */
export interface CallParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly calls: LiveCalls;
  readonly feed: JournalFeed;
  /** Told of each journal entry of a call once it is durable. */
  readonly observe: (entry: JournalEntry, call: Call) => void;
  readonly tokens: StreamTokens;
  readonly finaliser: Finaliser;
  readonly emit: Emit;
  /** Aborted when the channel stops. */
  readonly stopping: AbortSignal;
  readonly identifyCaller: (account: Account, number: string, callId: string) => Promise<Identity>;
  readonly identifyCallee: (account: Account, number: string, callId: string) => Promise<Identity>;
  /** Makes the talk of a call; it opens nothing before `prepare`. */
  readonly converse: (account: Account, journal: CallJournal, live: () => LiveCall) => Conversation;
}

/** Audio must have arrived so long after the answer; else the leg is lost. */
const MEDIA_WITHIN_MS = 30_000;
/** How long an answer waits for the model, so that the first word comes at once. */
const READY_WITHIN_MS = 800;

/** A journal whose entries reach those who follow the call. */
export function openJournal(
  { store, clock, logger, feed, observe, stopping: signal }: CallParts,
  callId: string,
  existing?: { call: Call; seq: number },
): CallJournal {
  const onDurable = (entry: JournalEntry, call: Call) => {
    feed.publish(callId, entry);
    observe(entry, call);
  };
  return new CallJournal({ callId, store, clock, logger, signal, onDurable }, existing);
}

export const newCallId = (): string => `call_${randomUUID().replaceAll("-", "")}`;

/** Makes a call live: from now on this process owns it, and whatever ends it meets the finaliser. */
export function goLive(parts: CallParts, account: Account, journal: CallJournal): LiveCall {
  const live: LiveCall = {
    id: journal.call.id,
    account,
    journal,
    conversation: parts.converse(account, journal, () => live),
    legId: undefined,
    lastSequence: -1,
    ending: undefined,
    settling: undefined,
    hadMedia: false,
    onLegEnded: undefined,
    timers: [],
  };
  parts.calls.add(live);
  parts.feed.open(live.id);
  return live;
}

/** Begins to limit a call that was answered: its media must come, and its time is bounded. */
export function watch({ clock, finaliser }: CallParts, live: LiveCall, farewell: string): void {
  const nowMs = clock.now();
  const endsAtMs = (live.journal.call.answeredAtMs ?? nowMs) + live.account.limits.maxCallSeconds * 1_000;
  live.timers.push(
    clock.after(MEDIA_WITHIN_MS, () => {
      if (!live.hadMedia) void finaliser.mediaEnded(live, "lost");
    }),
    clock.after(Math.max(0, endsAtMs - nowMs), () => void finaliser.end(live, { reason: "max_duration", farewell })),
  );
}

/**
 * What connects a leg's audio: as soon as the model is ready, or 800 ms after the leg began to wait at `sinceMs`, when
 * it goes on getting ready.
 * @throws VoiceError the model will not be ready
 */
export async function connection(
  { clock, tokens }: CallParts,
  live: LiveCall,
  legId: string,
  sinceMs: number,
): Promise<Answer> {
  const enough = new AbortController();
  const leftMs = Math.max(0, sinceMs + READY_WITHIN_MS - clock.now());
  const patience = sleep(clock, leftMs, enough.signal).catch(() => {}); // cancelled: the model was ready first
  try {
    await Promise.race([live.conversation.prepare(), patience]);
  } finally {
    enough.abort();
  }
  return { kind: "connect", callId: live.id, token: tokens.issue(live.id, legId) };
}

/** An answer as the carrier of a call wants it. */
export const reply = ({ account }: LiveCall, answer: Answer): CarrierReply => account.carrier.answer(answer);

/** What others are shown of a call. */
export const view = (parts: Pick<CallParts, "clock">, call: Call) => summarise(call, parts.clock.now());
