import type { OpenClawConfig } from "openclaw/plugin-sdk/channel-core";
import type { HostFinding } from "../host.ts";
import { CHANNEL } from "./channel-id.ts";

/** What the host's settings mean for calls, each with its remedy. `rows` tells whether the host takes rows. */
export function hostFindings(cfg: OpenClawConfig, rows: boolean): readonly HostFinding[] {
  return [transcripts(rows), sessionScope(cfg), owner(cfg)];
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

function owner({ commands }: OpenClawConfig): HostFinding {
  const check = "owner";
  const owners = (commands?.ownerAllowFrom ?? []).map(String);
  const remedy = 'Set commands.ownerAllowFrom to an identity that cannot be forged, such as "telegram:555".';
  if (owners.length === 0) {
    return {
      level: "warning",
      check,
      message:
        "No owner is named: the first number that is paired would become the owner, and a caller ID can be forged.",
      remedy,
    };
  }
  if (owners.some((entry) => entry.startsWith(`${CHANNEL}:`) || entry === "*")) {
    return {
      level: "warning",
      check,
      message: "A telephone number is an owner, and a caller ID can be forged.",
      remedy,
    };
  }
  return { level: "ok", check, message: "The owner is not a telephone number." };
}
