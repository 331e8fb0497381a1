import type { OpenClawConfig } from "openclaw/plugin-sdk/channel-core";
import { CHANNEL } from "./channel-id.ts";
import { accountSection, accountSections, voiceSection } from "./raw-config.ts";

/** One account of `channels.voice.accounts`, as far as the host itself needs to read it. */
export interface VoiceAccount {
  readonly accountId: string;
  readonly enabled: boolean;
  /** Whether somebody has begun to set it up. Whether it is right is said when it starts. */
  readonly configured: boolean;
  readonly number: string | undefined;
  readonly dmPolicy: string;
  readonly allowFrom: readonly string[];
  /** The account's section as written, secrets resolved where the host could. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** The names of all accounts, in the order they are written. */
export function listAccountIds(cfg: OpenClawConfig): string[] {
  return Object.keys(accountSections(cfg));
}

/** The account that is meant when none is named. */
export function defaultAccountId(cfg: OpenClawConfig): string {
  const ids = listAccountIds(cfg);
  const chosen = voiceSection(cfg)["defaultAccount"];
  if (typeof chosen === "string") return chosen;
  return ids.includes("default") ? "default" : (ids[0] ?? "default");
}

/** Reads an account without judging it: the host asks for accounts long before any of them starts. */
export function resolveAccount(cfg: OpenClawConfig, accountId?: string | null): VoiceAccount {
  const id = accountId ?? defaultAccountId(cfg);
  const raw = accountSection(cfg, id);
  const { enabled, number, dmPolicy, allowFrom } = raw;
  return {
    accountId: id,
    raw,
    enabled: voiceSection(cfg)["enabled"] !== false && enabled !== false,
    configured: number !== undefined && raw["carrier"] !== undefined && raw["engine"] !== undefined,
    number: typeof number === "string" ? number : undefined,
    dmPolicy: typeof dmPolicy === "string" ? dmPolicy : "allowlist",
    allowFrom: Array.isArray(allowFrom) ? allowFrom.map(String) : [],
  };
}

/**
 * A number in the form that the host compares targets in, or `undefined` when it is none. Looks at the shape alone:
 * this file is loaded whenever the host lists its plugins, and what knows the world's numbers takes long to load.
 */
export function normaliseTarget(raw: string): string | undefined {
  const digits = raw
    .trim()
    .replace(new RegExp(`^(?:${CHANNEL}|tel):`, "i"), "")
    .replace(/[\s().-]/g, "");
  return /^\+[1-9]\d{6,14}$/.test(digits) ? digits : undefined;
}
