import type { OpenClawConfig, PluginRuntime } from "openclaw/plugin-sdk/channel-core";
import type { CallerRef, Route } from "../host.ts";
import { CHANNEL } from "./channel-id.ts";
import { currentConfig } from "./raw-config.ts";

/** Whose session is looked for, and for which agent. */
interface Peer {
  readonly accountId: string;
  readonly agentId: string;
  readonly number: string;
}

type KeyParams = Parameters<PluginRuntime["channel"]["routing"]["buildAgentSessionKey"]>[0];

/**
 * Where the host puts a caller: by its bindings, its session scope and its identity links, or by the rule that the
 * account has of its own. Every key is made by the host's own router.
 */
export function routeCaller(
  runtime: PluginRuntime,
  caller: Pick<CallerRef, "accountId" | "agentId" | "number" | "scope" | "callId">,
): Route {
  const { accountId, agentId, number, scope } = caller;
  const cfg = currentConfig(runtime);
  const route = runtime.channel.routing.resolveAgentRoute({
    cfg,
    channel: CHANNEL,
    accountId,
    defaultAgentId: agentId,
    peer: { kind: "direct", id: number },
  });
  const peer = { accountId, agentId: route.agentId, number };
  const principal = linkedPrincipal(cfg.session?.identityLinks, number);
  return {
    agentId: route.agentId,
    sessionKey: scope === undefined ? route.sessionKey : scopedKey(runtime, peer, scope, caller.callId),
    workspaceDir: runtime.agent.resolveAgentWorkspaceDir(cfg, route.agentId),
    ...(principal !== undefined && { principal }),
  };
}

/** The key of a session that one call has for itself; `part` tells several of them apart. */
export function callSessionKey(
  runtime: PluginRuntime,
  { accountId, agentId, callId }: { readonly accountId: string; readonly agentId: string; readonly callId: string },
  part?: string,
): string {
  const id = part === undefined ? callId : `${callId}-${part}`;
  return keyOf(runtime, { accountId, agentId, number: id }, "per-account-channel-peer");
}

/** Whether a session is the one that all direct messages of an agent share. */
export function isSharedSession(runtime: PluginRuntime, session: Pick<Route, "agentId" | "sessionKey">): boolean {
  const { agentId, sessionKey } = session;
  return sessionKey === keyOf(runtime, { agentId, accountId: "default", number: "main" }, "main");
}

/** Whom `session.identityLinks` names for a number. A link says whose number it is, not who is holding the phone. */
export function linkedPrincipal(links: IdentityLinks | undefined, number: string): string | undefined {
  const target = `${CHANNEL}:${number}`;
  return Object.entries(links ?? {}).find(([, targets]) => targets.includes(target))?.[0];
}

/** `session.identityLinks` of the host: a person's name, and their targets such as `telegram:555`. */
export type IdentityLinks = Readonly<Record<string, readonly string[]>>;

// --- Internal helpers ---

function scopedKey(
  runtime: PluginRuntime,
  peer: Peer,
  scope: NonNullable<CallerRef["scope"]>,
  callId: string | undefined,
): string {
  switch (scope) {
    case "main":
      return keyOf(runtime, peer, "main");
    case "per-caller":
      return keyOf(runtime, peer, "per-peer");
    case "per-call":
      // A call without an id has not begun: until then the number stands for it, apart from every other channel.
      return callId === undefined
        ? keyOf(runtime, peer, "per-account-channel-peer")
        : callSessionKey(runtime, { ...peer, callId });
  }
}

function keyOf(
  runtime: PluginRuntime,
  { accountId, agentId, number }: Peer,
  dmScope: NonNullable<KeyParams["dmScope"]>,
): string {
  const { session }: OpenClawConfig = currentConfig(runtime);
  return runtime.channel.routing.buildAgentSessionKey({
    agentId,
    channel: CHANNEL,
    accountId,
    peer: { kind: "direct", id: number },
    dmScope,
    ...(session?.mainKey !== undefined && { mainKey: session.mainKey }),
    ...(session?.identityLinks && { identityLinks: session.identityLinks }),
  });
}
