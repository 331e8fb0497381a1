import type { OpenClawConfig } from "openclaw/plugin-sdk/channel-core";
import type { HostFinding } from "../host.ts";
import { listAccountIds, resolveAccount } from "./accounts.ts";
import { CHANNEL } from "./channel-id.ts";

/**
 * What the host's settings mean for calls, each with its remedy: the host's own first, then a note for each account
 * that needs one. `rows` tells whether the host takes rows.
 */
export function hostFindings(cfg: OpenClawConfig, rows: boolean): readonly HostFinding[] {
  const accounts = listAccountIds(cfg).flatMap((accountId) => ownerChannel(cfg, accountId));
  return [transcripts(rows), sessionScope(cfg), owner(cfg), ...accounts];
}

function transcripts(rows: boolean): HostFinding {
  const check = "transcript_rows";
  if (rows) return { level: "ok", check, message: "Calls are written into the caller's session as rows." };
  return {
    level: "warning",
    check,
    message:
      "This OpenClaw has no way to add rows to a session without a turn: a call is told to the caller's next turn instead.",
    remedy: "Use the OpenClaw version that this plugin was built for.",
  };
}

function sessionScope({ session }: OpenClawConfig): HostFinding {
  const check = "session_scope";
  const scope = session?.dmScope ?? "main";
  const remedy =
    'Set session.dmScope to "per-peer" and link numbers to people in session.identityLinks, ' +
    `such as "ann": ["telegram:555", "${CHANNEL}:+15551112222"].`;
  switch (scope) {
    case "per-peer":
      return { level: "ok", check, message: "Each person has one session for calls and every other channel." };
    case "main":
      return {
        level: "warning",
        check,
        message:
          "All direct messages share one session. A caller ID can be forged, so only calls of a verified owner are written into it; other calls stay in the call store and the daily note.",
        remedy,
      };
    default:
      return {
        level: "warning",
        check,
        message: `Sessions are kept apart by channel (${scope}): what was said on the phone is not known in chat.`,
        remedy,
      };
  }
}

/** The host makes the first number that is paired its owner when it has none, and a number can be forged. */
function owner(cfg: OpenClawConfig): HostFinding {
  const check = "owner";
  const owners = (cfg.commands?.ownerAllowFrom ?? []).map(String);
  const remedy = 'Set commands.ownerAllowFrom to an identity that cannot be forged, such as "telegram:555".';
  const numbers = owners.filter((entry) => entry === "*" || new RegExp(`^(?:${CHANNEL}|tel):`, "i").test(entry.trim()));
  if (numbers.length > 0) {
    return {
      level: "error",
      check,
      message:
        "Whoever rings from a telephone number that is an owner may command the agent, and a caller ID can be forged.",
      remedy: `Take ${numbers.length === 1 ? "it" : "them"} out of commands.ownerAllowFrom. ${remedy}`,
    };
  }
  if (owners.length > 0) return { level: "ok", check, message: "The owner is not a telephone number." };
  const pairs = listAccountIds(cfg).some((accountId) => resolveAccount(cfg, accountId).dmPolicy === "pairing");
  return {
    level: pairs ? "error" : "warning",
    check,
    message: "No owner is named: the first number that is paired becomes the owner, and a caller ID can be forged.",
    remedy,
  };
}

function ownerChannel(cfg: OpenClawConfig, accountId: string): HostFinding[] {
  const check = "owner_channel";
  const account = resolveAccount(cfg, accountId);
  if (!account.enabled) return [];
  const key = `channels.${CHANNEL}.accounts.${accountId}.owner`;
  const { owner } = account.raw;
  const channel = typeof owner === "object" && owner !== null && "channel" in owner ? owner.channel : undefined;
  if (typeof channel !== "string") return [];
  const channels: Readonly<Record<string, unknown>> = cfg.channels ?? {};
  if (Object.hasOwn(channels, channel) && channel !== CHANNEL) return [];
  return [
    {
      level: "warning",
      check,
      message: `Account ${accountId}: its owner is to be reached in ${channel}, which is no text channel of this host.`,
      remedy: `Set up channels.${channel}, or name another channel in ${key}.`,
    },
  ];
}
