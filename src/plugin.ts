import { homedir } from "node:os";
import { join } from "node:path";
import { EventEmitter } from "eventemitter3";
import type { Emit } from "./calls/conversation-parts.ts";
import { type CallParts, view } from "./calls/desk.ts";
import { instruct, say, sendDigits } from "./calls/in-call.ts";
import { ownLinks, removeLinks } from "./calls/links.ts";
import type { LiveCall } from "./calls/live-calls.ts";
import { placeCall } from "./calls/outbound.ts";
import { type ParsedAccount, type ParsedConfig, parseAccount, parseConfig } from "./config.ts";
import type { Call, CallSummary } from "./core/call.ts";
import { type Clock, sleep, systemClock } from "./core/clock.ts";
import { CallNotFoundError, CallOverError, NotRunningError } from "./core/errors.ts";
import type { JournalEntry, VoiceEvents } from "./core/events.ts";
import { requireE164 } from "./core/numbers.ts";
import { exportTranscript } from "./core/transcript-export.ts";
import type { Host, Logger } from "./hosts/host.ts";
import { standaloneHost } from "./hosts/standalone.ts";
import type {
  AccountStatus,
  CallDesk,
  CallDetails,
  EndedCall,
  Finding,
  PlaceCallRequest,
  SentDigits,
  StatusReport,
} from "./http/doors.ts";
import type { Listener } from "./http/listener.ts";
import { accountFindings } from "./plugin/account-findings.ts";
import type { AccountBook } from "./plugin/accounts.ts";
import { within } from "./plugin/background.ts";
import { type Composition, compose } from "./plugin/composition.ts";
import { examine } from "./plugin/doctor.ts";
import type { VoiceChannelOptions } from "./plugin/options.ts";
import { soundOf } from "./plugin/records.ts";
import { createWebhookDesk } from "./plugin/webhook-desk.ts";
import type { SessionSummary, VoiceSessionManager } from "./session-manager.ts";
import { createStore } from "./stores/index.ts";
import type { CallQuery, Store } from "./stores/store.ts";
import { VERSION } from "./version.ts";

/** `endCall` waits so long for the carrier's word. */
const END_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 100;
/** The whole of `stop` must fit into the host's five seconds. */
const STOP_CONFIRM_MS = 1_500;
const STOP_CALLS_MS = 2_000;
const STOP_AFTERWARDS_MS = 1_000;

/**
 * The voice channel: takes and makes phone calls for an agent. Opens nothing before `start()`.
 * @example
 * const voice = new VoiceChannelPlugin({ config });
 * voice.on("transcript", (entry) => console.log(entry.speaker, entry.text));
 * await voice.start();
 */
export class VoiceChannelPlugin extends EventEmitter<VoiceEvents> implements CallDesk {
  readonly #config: ParsedConfig;
  readonly #host: Host;
  readonly #logger: Logger;
  readonly #stateDir: string;
  readonly #clock: Clock;
  readonly #accounts: AccountBook;
  readonly #store: Store;
  readonly #parts: CallParts;
  readonly #composition: Composition;
  readonly #sessions: VoiceSessionManager;
  /** Aborted when the channel stops; a channel that was stopped is not started again. */
  readonly #stopping = new AbortController();
  /** Aborted when no further calls are taken. */
  readonly #draining = new AbortController();
  /** Accounts that have been here, also those that left: their calls are this process's own. */
  readonly #joined = new Set<string>();
  #listener: Listener | undefined;
  #opening: Promise<void> | undefined;
  #started: Promise<void> | undefined;
  #running = false;
  #stopped: Promise<void> | undefined;

  /** @throws ConfigError a setting beside the accounts is wrong @throws InvalidRequestError a tool is */
  constructor(options: VoiceChannelOptions) {
    super();
    this.#config = parseConfig(options.config);
    const { settings } = this.#config;
    const host = options.host ?? standaloneHost();
    const clock = options.clock ?? systemClock();
    this.#host = host;
    this.#logger = host.logger;
    this.#clock = clock;
    this.#stateDir = options.stateDir ?? join(homedir(), ".openclaw-voice");
    this.#store = options.store ?? createStore(settings.store, { stateDir: this.#stateDir, logger: host.logger });
    this.#composition = compose({
      settings,
      host,
      clock,
      store: this.#store,
      stateDir: this.#stateDir,
      tools: options.tools ?? [],
      isListening: () => this.#listener !== undefined,
      ...(options.fetch && { fetch: options.fetch }),
      emit: this.#tell,
      place: (order) => this.placeCall(order),
      stopping: this.#stopping.signal,
    });
    const { accounts, sessions, parts } = this.#composition;
    this.#accounts = accounts;
    this.#sessions = sessions;
    this.#parts = parts;
  }

  /** Opens the store and, with the first account, the listener. @throws StoreError @throws PortTakenError */
  async start(): Promise<void> {
    if (this.#stopping.signal.aborted) throw new NotRunningError();
    this.#started ??= this.#start().catch((error: unknown) => {
      this.#started = undefined; // what was missing may be there later
      this.#running = false;
      throw error;
    });
    return this.#started;
  }

  /** Takes no further calls. Resolves when the live ones are over, or after `withinMs`; `stop` then lets go of the rest. */
  async drain(withinMs: number): Promise<void> {
    this.#draining.abort(new NotRunningError());
    const { calls, clock } = this.#parts;
    const untilMs = clock.now() + withinMs;
    while (calls.size > 0 && clock.now() < untilMs && !this.#stopping.signal.aborted) {
      await sleep(clock, LOOK_EVERY_MS, this.#stopping.signal).catch(() => {}); // stopped
    }
  }

  /**
   * Closes everything within four seconds. Calls that were answered stay with their carrier, which asks the person to
   * wait; the next start, here or elsewhere over the same store, goes on with them. Others end with reason `shutdown`.
   * What comes after a call and is not done by then is done after the next start.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Takes in an account, or its new settings. Calls that are live keep the settings they began with. */
  async setAccount(accountId: string, raw: unknown): Promise<AccountStatus> {
    this.#mustRun();
    await this.#join(accountId, parseAccount(accountId, raw));
    return this.#accountStatus(accountId);
  }

  /** Lets an account go. Its live calls go on; new ones are turned away. */
  removeAccount(accountId: string): void {
    this.#accounts.remove(accountId);
  }

  async status(): Promise<StatusReport> {
    const { publicUrl } = this.#config.settings;
    return {
      running: this.#running,
      version: VERSION,
      publicUrl,
      liveCalls: this.#parts.calls.size,
      accounts: this.#accounts.ids.map((id) => this.#accountStatus(id)),
      settings: this.#accounts.running.flatMap((account) => accountFindings(account, this.#host)),
      host: await this.#host.report(),
      health: this.#composition.health.report(),
      ...(this.#listener && { listening: { host: this.#listener.host, port: this.#listener.port } }),
    };
  }

  async doctor(): Promise<readonly Finding[]> {
    return examine({
      settings: this.#config.settings,
      accounts: this.#accounts.running,
      statuses: this.#accounts.ids.map((id) => this.#accountStatus(id)),
      listener: this.#listener,
      store: this.#store,
      host: this.#host,
      watched: this.#composition.health.findings(),
    });
  }

  async placeCall({ accountId, ...placement }: PlaceCallRequest): Promise<CallSummary> {
    this.#mustRun();
    this.#draining.signal.throwIfAborted();
    return placeCall(this.#parts, this.#accounts.require(accountId ?? this.#defaultAccount()), placement);
  }

  async endCall(callId: string): Promise<EndedCall> {
    this.#mustRun();
    const live = this.#parts.calls.get(callId);
    if (!live) {
      const call = await this.#stored(callId);
      return { call: view(this.#parts, call), confirmed: call.state === "ended" };
    }
    await within(this.#clock, END_WITHIN_MS, this.#parts.finaliser.end(live, { reason: "agent_ended" }));
    const { call } = live.journal;
    return { call: view(this.#parts, call), confirmed: call.state === "ended" };
  }

  async say(callId: string, text: string): Promise<CallSummary> {
    const live = await this.#live(callId, "say anything");
    say(live, text);
    return view(this.#parts, live.journal.call);
  }

  async sendDigits(callId: string, digits: string, timing: { readonly durationMs?: number } = {}): Promise<SentDigits> {
    sendDigits(await this.#live(callId, "send keys"), digits, timing);
    return { callId, digits };
  }

  async instruct(callId: string, text: string, options: { readonly respond?: boolean } = {}): Promise<CallSummary> {
    const live = await this.#live(callId, "take instructions");
    instruct(live, text, options.respond ?? false);
    return view(this.#parts, live.journal.call);
  }

  async pauseRecording(callId: string, paused: boolean): Promise<CallDetails> {
    const live = await this.#live(callId, "be recorded");
    const { recorders } = this.#composition;
    await (paused ? recorders.pause(live) : recorders.resume(live));
    return this.call(callId);
  }

  async call(callId: string): Promise<CallDetails> {
    const call = await this.#stored(callId);
    const { transcript, usage, recordings, consent } = call;
    return { ...view(this.#parts, call), transcript, usage, recordings, ...(consent && { consent }) };
  }

  async calls(query: CallQuery = {}): Promise<{ calls: readonly CallSummary[]; next?: string }> {
    const page = await this.#store.calls(query);
    return { ...page, calls: page.calls.map((call) => view(this.#parts, call)) };
  }

  transcriptOf: CallDesk["transcriptOf"] = async (callId, as) => exportTranscript(await this.#stored(callId), as);
  search: CallDesk["search"] = (query) => this.#store.search(query);
  erase: CallDesk["erase"] = (order) => this.#composition.keeping.erase(order);
  links: CallDesk["links"] = (accountId) => ownLinks(this.#store, accountId);
  unlink: CallDesk["unlink"] = async (order) =>
    removeLinks(this.#store, { ...order, number: requireE164(order.number, "number") });
  recordingOf: CallDesk["recordingOf"] = async (callId) =>
    soundOf(await this.#stored(callId), this.#composition.recorders);

  /** Earlier calls with a number, newest first. @throws InvalidNumberError */
  async history(number: string, accountId = this.#defaultAccount(), limit = 10): Promise<readonly CallSummary[]> {
    return this.#sessions.history(accountId, requireE164(number, "number"), limit);
  }

  /** Sessions that calls belong to, the one with the newest call first. */
  sessions(limit = 50): Promise<readonly SessionSummary[]> {
    return this.#sessions.sessions(limit);
  }

  async *follow(callId: string, afterSeq: number, signal: AbortSignal): AsyncGenerator<JournalEntry> {
    await this.#stored(callId);
    yield* this.#parts.feed.follow(this.#store, callId, afterSeq, signal);
  }

  async #start(): Promise<void> {
    await this.#store.start();
    this.#running = true;
    if (!this.#config.settings.enabled) return;
    for (const [id, parsed] of this.#config.accounts) await this.#join(id, parsed);
    const { services, keeping, health } = this.#composition;
    await services.start();
    keeping.start();
    await health.start();
  }

  async #join(accountId: string, parsed: ParsedAccount): Promise<void> {
    // Looked up before the account takes calls: whatever is open or unfinished now is an earlier process's.
    const left = this.#joined.has(accountId) ? undefined : await this.#composition.recovery.find(accountId);
    this.#joined.add(accountId);
    const account = await this.#accounts.set(accountId, parsed);
    const { problem } = this.#accountStatus(accountId);
    if (problem !== undefined) this.#logger.error("An account does not run.", { accountId, problem });
    if (!account) return this.#accounts.running.length > 0 ? this.#listen() : undefined;
    if (left) this.#composition.recovery.expect(account, left);
    await this.#listen();
    // What the first call would wait for is loaded now; a call that comes meanwhile waits a little.
    await Promise.all([account.carrier.warmUp(), account.engine.warmUp()]);
    if (!left) return;
    const { background, recovery, recorders } = this.#composition;
    void background.add(recovery.take(account, left));
    void background.add(recorders.takeUp(accountId));
  }

  /** Opens the listener, once: one per process, whoever asks. */
  #listen(): Promise<void> {
    this.#opening ??= this.#openListener().catch((error: unknown) => {
      this.#opening = undefined; // the port may be free later
      throw error;
    });
    return this.#opening;
  }

  async #openListener(): Promise<void> {
    const [{ openListener }, { apiToken }] = await Promise.all([
      import("./http/listener.ts"),
      import("./http/token.ts"),
    ]);
    const { listen, publicUrl } = this.#config.settings;
    const { health, recovery, recorders } = this.#composition;
    this.#listener = await openListener({
      ...listen,
      publicUrl,
      apiToken: await apiToken(this.#stateDir),
      calls: this,
      webhooks: health.webhooks(
        createWebhookDesk(this.#parts, this.#accounts, recovery, recorders, {
          draining: this.#draining.signal,
          stopping: this.#stopping.signal,
        }),
      ),
      metrics: await health.metrics(),
      onProbe: health.onProbe,
      sessions: (limit) => this.sessions(limit),
      logger: this.#logger,
      clock: this.#clock,
    });
    if (this.#stopping.signal.aborted) await this.#listener.close();
  }

  async #stop(): Promise<void> {
    this.#running = false;
    this.#stopping.abort(new NotRunningError());
    const { recovery, recorders, flights, services, keeping, health, background, contexts } = this.#composition;
    // A call whose end takes longer stays open in the store and is closed by the next start.
    const leaving = this.#parts.calls.all().map((live) => recovery.release(live, STOP_CONFIRM_MS));
    const left = Promise.all(leaving).then(() => Promise.all([recorders.stop(), flights.stop()]));
    await within(this.#clock, STOP_CALLS_MS, Promise.all([left, services.stop(), keeping.stop(), health.stop()]));
    await this.#opening?.catch(() => {}); // whoever started has been told
    await this.#listener?.close();
    this.#listener = undefined;
    await background.settle(STOP_AFTERWARDS_MS);
    await contexts.close();
    await this.#store.stop();
  }

  /** Listeners hear of it; what one of them throws is its own fault and nobody else's. */
  #tell: Emit = (name, ...payload) => {
    try {
      if (name === "error") this.#logger.error("Something failed.", { error: String(payload[0]) });
      (this.emit as (name: string, ...payload: unknown[]) => boolean)(name, ...payload);
    } catch (error) {
      this.#logger.error("A listener threw.", { event: name, error: String(error) });
    }
  };

  #defaultAccount(): string {
    return this.#accounts.defaultId(this.#config.settings.defaultAccount);
  }

  #accountStatus(accountId: string): AccountStatus {
    return this.#accounts.status(accountId, this.#parts.calls.count(accountId));
  }

  async #stored(callId: string): Promise<Call> {
    const call = this.#parts.calls.get(callId)?.journal.call ?? (await this.#store.call(callId));
    if (!call) throw new CallNotFoundError(callId);
    return call;
  }

  async #live(callId: string, what: string): Promise<LiveCall> {
    this.#mustRun();
    const live = this.#parts.calls.get(callId);
    if (live) return live;
    await this.#stored(callId);
    throw new CallOverError(callId, what);
  }

  #mustRun(): void {
    if (!this.#running) throw new NotRunningError();
  }
}
