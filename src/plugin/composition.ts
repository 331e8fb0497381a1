import { VoiceCallHandler } from "../call-handler.ts";
import type { Account } from "../calls/account.ts";
import type { CallbackOrder } from "../calls/callbacks.ts";
import { callerRef } from "../calls/caller-ref.ts";
import type { Emit } from "../calls/conversation-parts.ts";
import { type CallParts, view } from "../calls/desk.ts";
import { Finaliser } from "../calls/finalise.ts";
import type { CallJournal } from "../calls/journal.ts";
import { JournalFeed } from "../calls/journal-feed.ts";
import { LiveCalls } from "../calls/live-calls.ts";
import { Recovery } from "../calls/recover.ts";
import { StreamTokens } from "../calls/stream-tokens.ts";
import { Ticker } from "../calls/ticker.ts";
import type { VoiceTool } from "../calls/tools.ts";
import type { VoiceSettings } from "../config.ts";
import { VoiceContextManager } from "../context-manager.ts";
import type { Clock } from "../core/clock.ts";
import type { Host } from "../hosts/host.ts";
import { VoiceSessionManager } from "../session-manager.ts";
import type { Store } from "../stores/store.ts";
import { AccountBook } from "./accounts.ts";
import { Background } from "./background.ts";
import { Keeping } from "./keeping.ts";
import { Services } from "./services.ts";

export interface CompositionParts {
  readonly settings: VoiceSettings;
  readonly host: Host;
  readonly clock: Clock;
  readonly store: Store;
  readonly tools: readonly VoiceTool[];
  /** Tells the channel's listeners. */
  readonly emit: Emit;
  /** Places a call. @throws VoiceError it could not be placed */
  readonly place: (order: CallbackOrder) => Promise<{ readonly callId: string }>;
  /** Aborted when the channel stops. */
  readonly stopping: AbortSignal;
}

/** What a channel is made of; nothing of it is open yet. */
export interface Composition {
  readonly accounts: AccountBook;
  readonly sessions: VoiceSessionManager;
  readonly contexts: VoiceContextManager;
  readonly services: Services;
  readonly keeping: Keeping;
  readonly parts: CallParts;
  readonly recovery: Recovery;
  readonly background: Background;
}

/** Puts a channel together. @throws InvalidRequestError a tool is wrong */
export function compose({ settings, host, clock, store, tools, emit, place, stopping }: CompositionParts): Composition {
  const { logger } = host;
  const background = new Background(clock, logger, stopping);
  const accounts = new AccountBook(settings.publicUrl, clock, tools);
  const sessions = new VoiceSessionManager({ host, store, clock });
  const contexts = new VoiceContextManager({ clock, logger });
  const calls = new LiveCalls();
  const feed = new JournalFeed();

  /** Does what comes after a call that is over and stored. */
  const finish = (journal: CallJournal, account: Account): Promise<void> => {
    const afterwards = handler.afterwards(journal, account, stopping);
    return background.add(afterwards.finally(() => feed.close(journal.call.id)));
  };
  const ended = (journal: CallJournal, account: Account): Promise<void> => {
    emit("ended", view(parts, journal.call));
    return finish(journal, account);
  };

  const finaliser = new Finaliser({
    calls,
    clock,
    logger,
    onEnded: ({ journal, account }) => void ended(journal, account),
    onMediaLost: (live) => recovery.mediaLost(live),
  });
  const services = new Services({ host, clock, emit, calls, store, sessions, accounts, place });
  const keeping = new Keeping({
    host,
    clock,
    store,
    accounts,
    notes: { notes: (dir) => contexts.notes(dir), changeNotes: (dir, change) => contexts.changeNotes(dir, change) },
    isBusy: (callId) => feed.isOpen(callId),
    isIdle: () => calls.size === 0,
  });
  const handler = new VoiceCallHandler({
    ...services,
    tools,
    host,
    clock,
    emit,
    finaliser,
    sessions,
    contexts,
    store,
    ticker: new Ticker(clock),
    stopping,
  });
  const parts: CallParts = {
    calls,
    clock,
    emit,
    finaliser,
    store,
    logger,
    stopping,
    feed,
    tokens: new StreamTokens(clock),
    identifyCaller: (account, number, callId) =>
      sessions.identify(callerRef(account, { number, callId, direction: "inbound" }), account),
    identifyCallee: (account, number, callId) =>
      sessions.identifyCallee(callerRef(account, { number, callId, direction: "outbound" }), account),
    converse: (account, journal, live) => handler.converse(account, journal, live),
  };
  const recovery = new Recovery({ ...parts, onEnded: ended, finish });
  return { accounts, sessions, contexts, services, keeping, parts, recovery, background };
}
