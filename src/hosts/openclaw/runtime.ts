import { AsyncLocalStorage } from "node:async_hooks";
import { join } from "node:path";
import type { OpenClawConfig, OpenClawPluginApi } from "openclaw/plugin-sdk/channel-core";
import { type Clock, sleep, systemClock, type Timer } from "../../core/clock.ts";
import { NotRunningError } from "../../core/errors.ts";
import type { VoiceChannelPlugin } from "../../plugin.ts";
import type { VoiceAccount } from "./accounts.ts";
import type { TakeAnswer } from "./answers.ts";
import { CHANNEL } from "./channel-id.ts";
import { answerForDesk, type UseDesk } from "./desk-exchange.ts";
import type { OpenClawHost } from "./host.ts";
import type { HostLog } from "./logger.ts";
import { accountSections, currentConfig, voiceSection } from "./raw-config.ts";

/** What the host gives the channel's service. */
interface ServiceContext {
  readonly stateDir: string;
  readonly logger: HostLog;
}

/** An account as the host runs it: its task lives until `abortSignal`. */
export interface AccountTask {
  readonly account: VoiceAccount;
  readonly cfg: OpenClawConfig;
  readonly abortSignal: AbortSignal;
  /** Shows how the account is doing in `openclaw channels status`. */
  report(state: "ready" | { readonly error: string }): void;
}

/** The channel while it is open. */
interface Open {
  readonly plugin: VoiceChannelPlugin;
  readonly host: OpenClawHost;
  readonly use: UseDesk;
  /** Ends answering for the channel in other copies of this package. */
  readonly withdraw: () => void;
}

/**
 * An account leaves so long after its task was aborted: removing another account makes the host abort and start every
 * account anew, and a call that arrives in between must still find its account.
 */
const LEAVE_AFTER_MS = 1_500;
/** A port that is taken or a disk that is full may be free later. */
const TRY_AGAIN_AFTER_MS = 15_000;

/**
 * The one voice channel of a loaded plugin. It belongs to the plugin's service: accounts join and leave, and calls
 * never die with an account's task. Opens with the first account and not before; `stop` closes everything.
 */
export class VoiceRuntime {
  readonly #clock: Clock;
  readonly #tasks = new Map<string, AccountTask>();
  readonly #leaving = new Map<string, Timer>();
  #api: OpenClawPluginApi | undefined;
  #service: ServiceContext | undefined;
  #opening: Promise<Open> | undefined;
  #open: Open | undefined;
  readonly #gateway = Promise.withResolvers<void>();

  constructor(clock: Clock = systemClock()) {
    this.#clock = clock;
  }

  /** Tells whose runtime this is, before any service or account starts. */
  register(api: OpenClawPluginApi): void {
    this.#api = api;
  }

  /** The service starts; accounts that were there before it join now. */
  start(service: ServiceContext): void {
    this.#service = service;
    for (const task of this.#tasks.values()) void this.#join(task);
  }

  /** Ends calls and closes everything, within four seconds. Accounts that stay join the next start. */
  async stop(): Promise<void> {
    this.#service = undefined;
    for (const timer of this.#leaving.values()) timer.stop();
    this.#leaving.clear();
    const opening = this.#opening;
    this.#opening = undefined;
    this.#open = undefined;
    const open = await opening?.catch(() => undefined); // whoever opened it has reported why it failed
    if (!open) return;
    open.withdraw();
    await open.plugin.stop();
    open.host.close();
  }

  /** Runs an account until it is aborted. Never rejects: the host would restart it for ever. */
  async serve(task: AccountTask): Promise<void> {
    const { accountId } = task.account;
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    if (task.abortSignal.aborted) return;
    task.abortSignal.addEventListener("abort", () => resolve(), { once: true });
    this.#leaving.get(accountId)?.stop();
    this.#leaving.delete(accountId);
    this.#tasks.set(accountId, task);
    if (this.#service) void this.#join(task);
    await aborted;
    if (this.#tasks.get(accountId) === task) this.#leave(accountId);
  }

  /** Does something with the open channel. @throws NotRunningError no account has opened it */
  use: UseDesk = (action) => {
    if (!this.#open) throw new NotRunningError();
    return this.#open.use(action);
  };

  /** The gateway has started: what was only to be warmed up may begin. */
  gatewayStarted(): void {
    this.#gateway.resolve();
  }

  /** Asks the open channel what becomes of an answer; waits for one that is being opened. */
  answer: TakeAnswer = async (answer) => {
    // A press is told again after a restart, and may well come before the channel is open again.
    const open = this.#open ?? (answer.how === "button" ? await this.#opening?.catch(() => undefined) : undefined);
    return open?.use(() => open.host.answered(answer));
  };

  /** A message goes to the agent: nothing may be written into its session until the turn is over. */
  turnComes(sessionKey: string): void {
    this.#open?.host.turnComes(sessionKey);
  }

  async #join(task: AccountTask): Promise<void> {
    const { account, abortSignal } = task;
    const service = this.#service;
    while (service && service === this.#service && !abortSignal.aborted) {
      try {
        const { plugin, host } = await this.#opened(service);
        if (abortSignal.aborted) return;
        const { problem } = await plugin.setAccount(account.accountId, account.raw);
        if (problem !== undefined) return task.report({ error: problem });
        host.logger.info("The account takes calls.", { accountId: account.accountId });
        return task.report("ready");
      } catch (error) {
        if (service !== this.#service || abortSignal.aborted) return;
        const problem = error instanceof Error ? error.message : String(error);
        service.logger.error(`${CHANNEL}: account ${account.accountId} cannot take calls yet: ${problem}`);
        task.report({ error: problem });
        await sleep(this.#clock, TRY_AGAIN_AFTER_MS, abortSignal).catch(() => undefined); // aborted: the loop ends
      }
    }
  }

  #leave(accountId: string): void {
    this.#tasks.delete(accountId);
    const open = this.#open;
    if (!open) return;
    const leave = () => {
      this.#leaving.delete(accountId);
      open.plugin.removeAccount(accountId);
    };
    this.#leaving.set(accountId, this.#clock.after(LEAVE_AFTER_MS, leave));
  }

  #opened(service: ServiceContext): Promise<Open> {
    if (!this.#opening) {
      const opening = this.#openChannel(service);
      this.#opening = opening;
      opening.catch(() => {
        if (this.#opening === opening) this.#opening = undefined;
      });
    }
    return this.#opening;
  }

  async #openChannel({ stateDir, logger }: ServiceContext): Promise<Open> {
    const api = this.#api;
    if (!api) throw new NotRunningError();
    // Loaded here and not above: the host loads this file at every start and listing, mostly without opening it.
    const [{ VoiceChannelPlugin }, { openclawHost }, { parseConfig }] = await Promise.all([
      import("../../plugin.ts"),
      import("./host.ts"),
      import("../../config.ts"),
    ]);
    const cfg = currentConfig(api.runtime);
    const config = { ...voiceSection(cfg), accounts: {} };
    const host = await openclawHost(
      api,
      logger,
      parseConfig(config).settings.logging,
      this.#clock,
      this.#gateway.promise,
    );
    try {
      const plugin = new VoiceChannelPlugin({
        config,
        host,
        clock: this.#clock,
        stateDir: join(stateDir, "plugins", CHANNEL),
      });
      await plugin.start();
      await this.#tellOfUnresolved(plugin, cfg);
      // Whoever asks for a call runs in a context of the host's that ends with a turn or a request. A call outlives
      // it, and what a call does later must not run in its name.
      const inOurContext = AsyncLocalStorage.snapshot();
      const use: UseDesk = (action) => inOurContext(() => action(plugin));
      const running = this.#service !== undefined; // it may have been stopped meanwhile: then `stop` closes this
      const open = { plugin, host, use, withdraw: running ? answerForDesk(use) : () => {} };
      if (running) this.#open = open;
      return open;
    } catch (error) {
      host.close();
      throw error;
    }
  }

  /**
   * The host does not start an account whose secrets it could not resolve. The channel is told all the same, so that
   * its status names the secret and its webhooks are refused as forbidden instead of unknown.
   */
  async #tellOfUnresolved(plugin: VoiceChannelPlugin, cfg: OpenClawConfig): Promise<void> {
    for (const [accountId, raw] of Object.entries(accountSections(cfg))) {
      if (!this.#tasks.has(accountId) && hasUnresolvedSecret(raw)) await plugin.setAccount(accountId, raw);
    }
  }
}

// --- Internal helpers ---

/** Whether a reference that the host should have replaced by its secret still stands in an account. */
function hasUnresolvedSecret(raw: Readonly<Record<string, unknown>>): boolean {
  return [raw["carrier"], raw["engine"]].some(
    (part) =>
      typeof part === "object" &&
      part !== null &&
      Object.values(part).some((value) => typeof value === "object" && value !== null && "source" in value),
  );
}
