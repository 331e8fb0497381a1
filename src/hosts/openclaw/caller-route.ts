import type { PluginRuntime } from "openclaw/plugin-sdk/channel-core";
import type { CallerRef, Route } from "../host.ts";
import { CHANNEL } from "./channel-id.ts";
import { currentConfig } from "./raw-config.ts";

/** A route, and whether its session is the one that all direct messages of the agent share. */
export interface CallerRoute extends Route {
  readonly shared: boolean;
}

/** Where the host puts a caller: by its bindings, its session scope and its identity links. */
export function routeCaller(
  runtime: PluginRuntime,
  { accountId, agentId, number }: Pick<CallerRef, "accountId" | "agentId" | "number">,
): CallerRoute {
  const cfg = currentConfig(runtime);
  const route = runtime.channel.routing.resolveAgentRoute({
    cfg,
    channel: CHANNEL,
    accountId,
    defaultAgentId: agentId,
    peer: { kind: "direct", id: number },
  });
  const principal = linkedPrincipal(cfg.session?.identityLinks, number);
  return {
    agentId: route.agentId,
    sessionKey: route.sessionKey,
    workspaceDir: runtime.agent.resolveAgentWorkspaceDir(cfg, route.agentId),
    shared: route.sessionKey === route.mainSessionKey,
    ...(principal !== undefined && { principal }),
  };
}

/** Whom `session.identityLinks` names for a number. A link says whose number it is, not who is holding the phone. */
export function linkedPrincipal(
  links: Readonly<Record<string, readonly string[]>> | undefined,
  number: string,
): string | undefined {
  const target = `${CHANNEL}:${number}`;
  return Object.entries(links ?? {}).find(([, targets]) => targets.includes(target))?.[0];
}
