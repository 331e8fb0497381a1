import type { Account } from "../calls/account.ts";
import { Clips } from "../calls/clips.ts";
import { httpTools } from "../calls/tools/http-tool.ts";
import { requireTools } from "../calls/tools/offer.ts";
import type { VoiceTool } from "../calls/tools.ts";
import { createCarrier } from "../carriers/index.ts";
import { type AccountConfig, type ParsedAccount, requireSecret } from "../config.ts";
import type { Clock } from "../core/clock.ts";
import {
  AccountUnavailableError,
  ConfigError,
  InvalidRequestError,
  SecretMissingError,
  VoiceError,
} from "../core/errors.ts";
import type { Trust } from "../core/events.ts";
import type { McpServer } from "../engines/engine.ts";
import { createEngine } from "../engines/index.ts";
import type { AccountStatus } from "../http/doors.ts";
import { recordingSettings } from "./recording.ts";

/** An account as it stands: running, or why it is not. */
interface Standing {
  readonly config?: AccountConfig;
  readonly account?: Account;
  readonly error?: VoiceError;
}

/** The accounts that have joined. Each stands by itself: what is wrong with one never touches another. */
export class AccountBook {
  readonly #publicUrl: string;
  readonly #clock: Clock;
  readonly #tools: readonly VoiceTool[];
  readonly #equip: (account: Account) => Account;
  readonly #standings = new Map<string, Standing>();

  /**
   * `tools`: those of the embedder, whose names no account may use again; `equip`: puts in front of an account's peers
   * what all have there. @throws InvalidRequestError a tool is wrong
   */
  constructor(
    publicUrl: string,
    clock: Clock,
    tools: readonly VoiceTool[],
    equip: (account: Account) => Account = (account) => account,
  ) {
    this.#equip = equip;
    this.#publicUrl = publicUrl;
    this.#clock = clock;
    this.#tools = tools;
    requireTools(tools);
  }

  get ids(): string[] {
    return [...this.#standings.keys()];
  }

  /** The accounts that run. */
  get running(): Account[] {
    return [...this.#standings.values()].flatMap(({ account }) => account ?? []);
  }

  /** A running account by name. */
  find(accountId: string): Account | undefined {
    return this.#standings.get(accountId)?.account;
  }

  config(accountId: string): AccountConfig | undefined {
    return this.#standings.get(accountId)?.config;
  }

  /** Takes in an account, or its new settings, once the sounds of its calls are there. Says whether it runs. */
  async set(accountId: string, parsed: ParsedAccount): Promise<Account | undefined> {
    const standing = this.#stand(accountId, parsed);
    await standing.account?.clips?.load();
    this.#standings.set(accountId, standing);
    return standing.account;
  }

  remove(accountId: string): void {
    this.#standings.delete(accountId);
  }

  /** The account that is meant when none is named. @throws InvalidRequestError that cannot be told */
  defaultId(configured: string | undefined): string {
    const [first, ...others] = this.ids;
    if (configured !== undefined) return configured;
    if (first !== undefined && (others.length === 0 || this.ids.includes("default"))) {
      return others.length === 0 ? first : "default";
    }
    throw new InvalidRequestError(
      "accountId",
      `name one of the accounts (${this.ids.join(", ")}), or set defaultAccount`,
    );
  }

  /** A running account by name. @throws AccountUnavailableError it is unknown or does not run @throws SecretMissingError a secret is */
  require(accountId: string): Account {
    const standing = this.#standings.get(accountId);
    if (standing?.account) return standing.account;
    if (standing?.error instanceof SecretMissingError) throw standing.error;
    const why =
      standing?.error?.message ??
      (standing ? "it is disabled" : `there is none with this name; there are: ${this.ids.join(", ")}`);
    throw new AccountUnavailableError(`The account "${accountId}" is not available: ${why}.`);
  }

  /** How an account stands, for people. */
  status(accountId: string, liveCalls: number): AccountStatus {
    const { config, account, error } = this.#standings.get(accountId) ?? {};
    const known = { accountId, liveCalls, ...(config && { number: config.number }) };
    if (account) return { ...known, state: "running" };
    if (!error) return { ...known, state: "stopped" };
    return {
      ...known,
      state: error instanceof SecretMissingError ? "secret_missing" : "misconfigured",
      problem: error.message,
    };
  }

  #stand(accountId: string, parsed: ParsedAccount): Standing {
    if ("error" in parsed) return parsed;
    const { config } = parsed;
    if (!config.enabled) return { config };
    try {
      return { config, account: this.#equip(this.#open(accountId, config)) };
    } catch (error) {
      if (error instanceof VoiceError) return { config, error };
      throw error;
    }
  }

  /** @throws ConfigError a secret is missing from the environment @throws InvalidRequestError a name is taken */
  #toolsOf({ tools }: AccountConfig, path: string): readonly VoiceTool[] {
    const own = httpTools(tools, { env: process.env, field: `${path}.tools` });
    requireTools(own, `${path}.tools`);
    requireTools([...this.#tools, ...own], `${path}.tools`);
    return own;
  }

  #open(id: string, config: AccountConfig): Account {
    const path = `accounts.${id}`;
    if (config.brain === "agent" && config.turns === "server") {
      throw new ConfigError(
        `${path}.turns`,
        "must be `ours` where `brain` is `agent`: the model would answer by itself",
      );
    }
    const numbers = [config.number, ...config.moreNumbers];
    requireSecret(config.carrier.authToken, `${path}.carrier.authToken`);
    const { webhookSecret, fallbackModels, ...engine } = config.engine;
    const apiKey = requireSecret(engine.apiKey, `${path}.engine.apiKey`);
    const secret = webhookSecret && requireSecret(webhookSecret, `${path}.engine.webhookSecret`);
    const engineOf = (model: string) =>
      createEngine({ ...engine, model, apiKey, ...(secret && { webhookSecret: secret }) }, this.#clock);
    return {
      id,
      numbers,
      carrier: createCarrier(config.carrier, {
        accountId: id,
        publicUrl: this.#publicUrl,
        numbers,
        clock: this.#clock,
      }),
      engine: engineOf(engine.model),
      fallbackEngines: fallbackModels.map(engineOf),
      agentId: config.agentId,
      persona: config.persona,
      turns: config.turns,
      bargeIn: config.bargeIn,
      clips: new Clips({ language: config.persona.language, ...(config.clips && { folder: config.clips }) }),
      dmPolicy: config.dmPolicy,
      allowFrom: config.allowFrom,
      timeZone: config.timeZone,
      recording: recordingSettings(config, path),
      ...(config.owner && { owner: ownerOf(config.owner) }),
      brain: config.brain,
      sessionScope: config.sessionScope,
      consult: config.consult,
      tools: this.#toolsOf(config, path),
      mcpServers: config.mcpServers.map((server, index) => mcpServerOf(server, `${path}.mcpServers[${index}]`)),
      afterCall: config.afterCall,
      context: config.context,
      limits: config.limits,
    };
  }
}

// --- Internal helpers ---

const ownerOf = ({ channel, to, accountId }: NonNullable<AccountConfig["owner"]>) => ({
  channel,
  to,
  ...(accountId !== undefined && { accountId }),
});

/** @throws ConfigError its token is missing from the environment */
function mcpServerOf(
  { label, url, authorizationEnv, allowedTools, trust }: AccountConfig["mcpServers"][number],
  path: string,
): { readonly server: McpServer; readonly trust: Trust } {
  const authorization = authorizationEnv === undefined ? undefined : process.env[authorizationEnv];
  if (authorizationEnv !== undefined && !authorization) {
    throw new ConfigError(`${path}.authorizationEnv`, `the environment has no variable ${authorizationEnv}: set it`);
  }
  return {
    trust,
    server: {
      label,
      url,
      ...(authorization && { authorization }),
      ...(allowedTools.length > 0 && { allowedTools }),
    },
  };
}
