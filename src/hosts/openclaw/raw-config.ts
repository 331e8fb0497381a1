import type { OpenClawConfig, PluginRuntime } from "openclaw/plugin-sdk/channel-core";
import { CHANNEL } from "./channel-id.ts";

type Section = Readonly<Record<string, unknown>>;

/** The host's configuration as it is now, secrets resolved. The SDK types it read-only and takes it back writable. */
export function currentConfig(runtime: PluginRuntime): OpenClawConfig {
  return runtime.config.current() as OpenClawConfig;
}

/** `channels.voice` as written; empty when there is none. */
export function voiceSection(cfg: OpenClawConfig): Section {
  const channels: Section | undefined = cfg.channels;
  return asSection(channels?.[CHANNEL]);
}

/** `channels.voice.accounts` as written. */
export function accountSections(cfg: OpenClawConfig): Readonly<Record<string, Section>> {
  const accounts = asSection(voiceSection(cfg)["accounts"]);
  return Object.fromEntries(Object.entries(accounts).map(([id, account]) => [id, asSection(account)]));
}

/** One account as written; empty when there is none. */
export function accountSection(cfg: OpenClawConfig, accountId: string): Section {
  return accountSections(cfg)[accountId] ?? {};
}

function asSection(value: unknown): Section {
  return typeof value === "object" && value !== null ? (value as Section) : {};
}
