import { randomUUID } from "node:crypto";
import type { Account } from "../calls/account.ts";
import { HealthAlerts } from "../calls/health/alerts.ts";
import { CallWatch } from "../calls/health/call-watch.ts";
import {
  callsCheck,
  carrierCheck,
  diskCheck,
  engineCheck,
  type FreeSpace,
  freeSpaceOf,
  hostCheck,
  storeCheck,
} from "../calls/health/checks.ts";
import { type HealthCheck, HealthMonitor } from "../calls/health/monitor.ts";
import { isNobodysName, PublicUrlProbe } from "../calls/health/public-url.ts";
import { type HealthReport, healthReport } from "../calls/health/report.ts";
import { Stopwatch } from "../calls/health/timings.ts";
import type { LiveCalls } from "../calls/live-calls.ts";
import {
  type BreakerReport,
  carrierGuard,
  type Guard,
  hostGuard,
  withHostResilience,
  withResilience,
} from "../calls/resilience.ts";
import type { VoiceSettings } from "../config.ts";
import type { Call } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import type { JournalEntry } from "../core/events.ts";
import type { ChannelAddress, Host } from "../hosts/host.ts";
import type { Finding, WebhookDesk } from "../http/doors.ts";
import type { Metrics } from "../http/metrics.ts";
import type { Store } from "../stores/store.ts";
import { VERSION } from "../version.ts";

export interface HealthParts {
  readonly settings: Pick<VoiceSettings, "health" | "retries" | "publicUrl">;
  readonly host: Host;
  readonly store: Store;
  readonly clock: Clock;
  readonly calls: LiveCalls;
  readonly stateDir: string;
  /** The accounts that run now. */
  readonly accounts: () => readonly Account[];
  /** Calls of an earlier process that are being taken up: how many, and whether this is one of them. */
  readonly recovering: () => { readonly size: number; readonly has: (callId: string) => boolean };
  /** Whether our listener is open. */
  readonly isListening: () => boolean;
  /** How the world is asked for us; the machine's own unless told. */
  readonly fetch?: typeof fetch;
  readonly freeSpace?: FreeSpace;
}

/** Everything that says how the channel is doing: looks and alerts, breakers, numbers. */
export class Health {
  /** The store, measured. */
  readonly store: Store;
  /** The host, behind its breaker. */
  readonly host: Host;
  readonly #parts: HealthParts;
  readonly #stopwatch: Stopwatch;
  readonly #watch = new CallWatch();
  readonly #hostGuard: Guard;
  readonly #carrierGuards = new Map<string, Guard>();
  readonly #alerts: HealthAlerts;
  readonly #monitor: HealthMonitor;
  readonly #publicUrl: PublicUrlProbe;
  readonly #shared: readonly HealthCheck[];
  #metrics: Metrics | undefined;

  constructor(parts: HealthParts) {
    this.#parts = parts;
    const { settings, host, store, clock, stateDir, freeSpace = freeSpaceOf } = parts;
    const { health } = settings;
    this.#stopwatch = new Stopwatch(clock, (part, ms) => this.#metrics?.time(part, ms));
    this.store = this.#stopwatch.store(store);
    this.#hostGuard = hostGuard(settings.retries.host, clock);
    this.host = withHostResilience(host, this.#hostGuard);
    this.#publicUrl = new PublicUrlProbe(settings.publicUrl, randomUUID, parts.fetch);
    this.#shared = [
      storeCheck(store, randomUUID(), clock),
      hostCheck(host),
      diskCheck(stateDir, health, freeSpace),
      callsCheck(this.#watch, store, (callId) => this.#isOwned(callId), clock),
    ];
    this.#alerts = new HealthAlerts({
      host,
      store,
      clock,
      logger: host.logger,
      calmMs: health.calmSeconds * 1_000,
      perHour: health.alertsPerHour,
      recipients: (accountId) => this.#owners(accountId),
    });
    this.#monitor = new HealthMonitor({
      checks: () => this.#checks(),
      rules: {
        fallAfter: health.fallAfter,
        riseAfter: health.riseAfter,
        periodMs: health.periodSeconds * 1_000,
        againMs: health.againSeconds * 1_000,
        timeoutMs: health.timeoutSeconds * 1_000,
      },
      clock,
      logger: host.logger,
      onStandings: async (standings) => {
        if (health.alerts) await this.#alerts.update(standings);
      },
    });
  }

  /** Begins to look. The store is open. @throws StoreError */
  async start(): Promise<void> {
    this.#monitor.start(this.#parts.settings.health.alerts ? await this.#alerts.start() : new Map());
  }

  async stop(): Promise<void> {
    this.#alerts.stop();
    await this.#monitor.stop();
    this.#metrics?.close();
    this.#metrics = undefined;
  }

  /** The same account with a carrier and engines that are measured and, where that does no harm, asked again. */
  equip(account: Account): Account {
    const guard = this.#carrierGuards.get(account.id) ?? this.#newGuard(account.id);
    return {
      ...account,
      carrier: withResilience(this.#stopwatch.carrier(account.carrier), guard),
      engine: this.#stopwatch.engine(account.engine),
      fallbackEngines: account.fallbackEngines.map((engine) => this.#stopwatch.engine(engine)),
    };
  }

  /** The same desk, with its answers to waiting legs measured: only they have a body. */
  webhooks(desk: WebhookDesk): WebhookDesk {
    const { clock } = this.#parts;
    return {
      ...desk,
      carrierWebhook: async (carrier, accountId, request) => {
        const fromMs = clock.now();
        const reply = await desk.carrierWebhook(carrier, accountId, request);
        if (reply.body !== "") this.#metrics?.time("answer_webhook", clock.now() - fromMs);
        return reply;
      },
    };
  }

  /** A journal entry of a call is durable. */
  readonly observe = (entry: JournalEntry, call: Call): void => {
    if (this.#metrics) this.#metrics.observe(entry, call);
    else this.#watch.observe(entry, call);
  };

  /** A request for `/health` has arrived with this word. */
  readonly onProbe = (word: string): void => this.#publicUrl.arrived(word);

  /** The numbers; what makes them is loaded with the first who asks. */
  async metrics(): Promise<Metrics> {
    const { createMetrics } = await import("../http/metrics.ts");
    const { calls, recovering, clock } = this.#parts;
    this.#metrics ??= createMetrics({
      version: VERSION,
      clock,
      live: () => calls.all().map(({ journal }) => journal.call),
      watch: this.#watch,
      isOwned: (callId) => this.#isOwned(callId),
      recovering: () => recovering().size,
      appending: () => this.#stopwatch.appending,
      standings: () => this.#monitor.standings(),
      breakers: () => this.#breakers(),
    });
    return this.#metrics;
  }

  report(): HealthReport {
    return healthReport(this.#monitor.standings(), this.#breakers());
  }

  /** What the report says, as findings. */
  findings(): readonly Finding[] {
    const checks = this.#monitor.standings();
    const bad = checks.filter(({ level }) => level !== "well");
    if (bad.length > 0) {
      return bad.map(({ check, accountId, level, message, remedy }) => ({
        level: level === "down" ? "error" : "warning",
        check: `health_${check}`,
        ...(accountId !== undefined && { accountId }),
        message,
        ...(remedy !== undefined && { remedy }),
      }));
    }
    if (checks.length === 0) return [];
    return [{ level: "ok", check: "health", message: `What is watched is well: ${checks.length} checks.` }];
  }

  #checks(): readonly HealthCheck[] {
    const { settings, accounts, isListening, fetch } = this.#parts;
    const asksUrl = settings.health.publicUrl && isListening() && (fetch || !isNobodysName(settings.publicUrl));
    return [
      ...this.#shared,
      ...(asksUrl ? [this.#publicUrl.check] : []),
      ...accounts().flatMap((account) => [carrierCheck(account), engineCheck(account)]),
    ];
  }

  #isOwned(callId: string): boolean {
    const { calls, recovering } = this.#parts;
    return calls.get(callId) !== undefined || recovering().has(callId);
  }

  #owners(accountId: string | undefined): readonly ChannelAddress[] {
    const owners = this.#parts
      .accounts()
      .flatMap(({ id, owner }) => (owner && (accountId === undefined || id === accountId) ? [owner] : []));
    const isFirst = (owner: ChannelAddress, index: number) =>
      owners.findIndex(({ channel, to }) => channel === owner.channel && to === owner.to) === index;
    return owners.filter(isFirst);
  }

  #breakers(): readonly BreakerReport[] {
    const guards = this.#parts.accounts().flatMap(({ id }) => this.#carrierGuards.get(id) ?? []);
    return [...guards, this.#hostGuard].map((guard) => guard.report());
  }

  #newGuard(accountId: string): Guard {
    const { settings, clock } = this.#parts;
    const guard = carrierGuard(accountId, settings.retries.carrier, clock);
    this.#carrierGuards.set(accountId, guard);
    return guard;
  }
}
