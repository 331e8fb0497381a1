import { isIPv6 } from "node:net";
import { parseConfig } from "../config.ts";
import { configFromEnvironment, defaultStateDir, type LoadedConfig, loadConfigFile } from "../config-file.ts";
import { ConfigError } from "../core/errors.ts";
import { readApiToken } from "../http/token.ts";
import { ApiClient, CommandError } from "./client.ts";
import type { Terminal } from "./terminal.ts";

/** Options that say which channel is meant. */
export interface Where {
  readonly config?: string;
  readonly stateDir?: string;
  readonly url?: string;
}

/** The configuration of `--config`, else of the environment. @throws ConfigError */
export async function loadConfig({ config }: Where, { env }: Terminal): Promise<LoadedConfig> {
  return config === undefined ? configFromEnvironment(env) : loadConfigFile(config, env);
}

/** Where the channel keeps its state. */
export function stateDirOf({ stateDir }: Where, { env }: Terminal): string {
  return stateDir ?? defaultStateDir(env);
}

/** A mistake in the configuration, with the place where it stands. */
export function located(error: ConfigError, loaded: LoadedConfig): ConfigError {
  const place = loaded.whereIs(error.key);
  return new ConfigError(`${place}: ${error.key}`, error.message.slice(error.key.length + 2), { cause: error });
}

/** Reads the settings beside the accounts. @throws ConfigError with its place */
export function parseLoaded(loaded: LoadedConfig): ReturnType<typeof parseConfig> {
  try {
    return parseConfig(loaded.config);
  } catch (error) {
    throw error instanceof ConfigError ? located(error, loaded) : error;
  }
}

/** The address of a listener as a client of this machine reaches it. */
export function localUrl(host: string, port: number): string {
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}`;
}

/** The API of the running channel that is meant. @throws ConfigError @throws CommandError it was never started */
export async function openClient(where: Where, terminal: Terminal): Promise<ApiClient> {
  const url = where.url?.replace(/\/+$/, "") ?? (await configuredUrl(where, terminal));
  const stateDir = stateDirOf(where, terminal);
  const token = await readApiToken(stateDir);
  if (token === undefined) {
    const remedy = "Start the channel with: openclaw-voice serve, or name its folder with --state-dir.";
    throw new CommandError("not_running", `There is no API token in ${stateDir}. ${remedy}`);
  }
  return new ApiClient(url, token, terminal.stop);
}

// --- Internal helpers ---

async function configuredUrl(where: Where, terminal: Terminal): Promise<string> {
  if (where.config === undefined) return `http://127.0.0.1:${terminal.env["PORT"] || 8_080}`;
  const { listen } = parseLoaded(await loadConfig(where, terminal)).settings;
  return localUrl(listen.host, listen.port);
}
