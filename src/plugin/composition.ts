import { VoiceCallHandler } from "../call-handler.ts";
import type { Account } from "../calls/account.ts";
import { appendTo } from "../calls/append.ts";
import type { CallbackOrder } from "../calls/callbacks.ts";
import { callerRef } from "../calls/caller-ref.ts";
import type { Emit } from "../calls/conversation-parts.ts";
import { type CallParts, view } from "../calls/desk.ts";
import { Finaliser } from "../calls/finalise.ts";
import { flightsDir } from "../calls/flight/file.ts";
import { Flights } from "../calls/flight/flights.ts";
import type { CallJournal } from "../calls/journal.ts";
import { JournalFeed } from "../calls/journal-feed.ts";
import { LiveCalls } from "../calls/live-calls.ts";
import { Recovery } from "../calls/recover.ts";
import { StreamTokens } from "../calls/stream-tokens.ts";
import { Ticker } from "../calls/ticker.ts";
import type { VoiceTool } from "../calls/tools.ts";
import type { VoiceSettings } from "../config.ts";
import { VoiceContextManager } from "../context-manager.ts";
import type { Call } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import type { JournalEntry } from "../core/events.ts";
import type { Host } from "../hosts/host.ts";
import { VoiceSessionManager } from "../session-manager.ts";
import type { Store } from "../stores/store.ts";
import { VERSION } from "../version.ts";
import { AccountBook } from "./accounts.ts";
import { Background } from "./background.ts";
import { Health } from "./health.ts";
import { Keeping } from "./keeping.ts";
import { Recorders } from "./recorders.ts";
import { Services } from "./services.ts";

export interface CompositionParts {
  readonly settings: VoiceSettings;
  readonly host: Host;
  readonly clock: Clock;
  readonly store: Store;
  readonly stateDir: string;
  readonly tools: readonly VoiceTool[];
  /** Tells the channel's listeners. */
  readonly emit: Emit;
  /** Places a call. @throws VoiceError it could not be placed */
  readonly place: (order: CallbackOrder) => Promise<{ readonly callId: string }>;
  /** Whether our listener is open. */
  readonly isListening: () => boolean;
  /** How the world is asked for us; the machine's own unless told. */
  readonly fetch?: typeof fetch;
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
  readonly health: Health;
  readonly recorders: Recorders;
  readonly flights: Flights;
  readonly parts: CallParts;
  readonly recovery: Recovery;
  readonly background: Background;
}

/** Puts a channel together. @throws InvalidRequestError a tool is wrong */
export function compose(composed: CompositionParts): Composition {
  const { settings, clock, stateDir, tools, emit, place, stopping } = composed;
  const calls = new LiveCalls();
  const health: Health = new Health({
    ...composed,
    calls,
    accounts: () => accounts.running,
    recovering: () => recovery,
  });
  const { host, store } = health;
  const { logger } = host;
  const ticker = new Ticker(clock);
  const feed = new JournalFeed();
  const background = new Background(clock, logger, stopping);
  const accounts: AccountBook = new AccountBook(settings.publicUrl, clock, tools, (account) => health.equip(account));
  const sessions = new VoiceSessionManager({ host, store, clock });
  const contexts = new VoiceContextManager({ clock, logger });

  /** Does what comes after a call that is over and stored. */
  const finish = (journal: CallJournal, account: Account): Promise<void> => {
    const afterwards = handler.afterwards(journal, account, stopping);
    return background.add(afterwards.finally(() => feed.close(journal.call.id)));
  };
  const ended = (journal: CallJournal, account: Account): Promise<void> => {
    emit("ended", view(parts, journal.call));
    void background.add(recorders.ended(journal.call));
    return finish(journal, account);
  };
  const observe = (entry: JournalEntry, call: Call): void => {
    health.observe(entry, call);
    if (!("recordingId" in entry.event)) return;
    const recording = call.recordings.find(({ id }) => "recordingId" in entry.event && id === entry.event.recordingId);
    if (recording) emit("recording", recording, view(parts, call));
  };

  const finaliser = new Finaliser({
    calls,
    clock,
    logger,
    onEnded: ({ journal, account }) => void ended(journal, account),
    onMediaLost: (live) => recovery.mediaLost(live),
  });
  const services = new Services({ host, clock, emit, calls, store, sessions, accounts, place });
  const flights = new Flights({ ...settings.flight, dir: flightsDir(stateDir), version: VERSION, logger });
  const recorders = new Recorders({
    stateDir,
    store,
    clock,
    ticker,
    logger,
    accounts,
    stopping,
    write: (callId, ...events) => appendTo(parts, callId, ...events),
  });
  const keeping = new Keeping({
    host,
    clock,
    store,
    accounts,
    recordings: recorders,
    flightRecords: flights,
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
    ticker,
    stopping,
    soundOf: (account, journal, live) => recorders.of(account, journal, live),
    talk: (conversation) => flights.converse(conversation),
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
    observe,
    tokens: new StreamTokens(clock),
    identifyCaller: (account, number, callId) =>
      sessions.identify(callerRef(account, { number, callId, direction: "inbound" }), account),
    identifyCallee: (account, number, callId) =>
      sessions.identifyCallee(callerRef(account, { number, callId, direction: "outbound" }), account),
    converse: (account, journal, live) => handler.converse(account, journal, live),
  };
  const recovery = new Recovery({ ...parts, onEnded: ended, finish });
  return {
    accounts,
    sessions,
    contexts,
    services,
    keeping,
    health,
    recorders,
    flights,
    parts,
    recovery,
    background,
  };
}
