import type { OpenClawConfig, PluginRuntime } from "openclaw/plugin-sdk/channel-core";
import { buildAgentSessionKey, resolveAgentRoute } from "openclaw/plugin-sdk/routing";

/** What a test puts into a host: its configuration, and how it answers. */
export interface RuntimeParts {
  readonly config?: object;
  readonly complete?: (params: Record<string, unknown>) => Promise<{ text: string; stopReason?: string }>;
  readonly runEmbeddedAgent?: (params: Record<string, unknown>) => Promise<{ payloads?: object[] }>;
  readonly dispatch?: (params: Record<string, unknown>) => Promise<object>;
  readonly allowed?: boolean;
  readonly system?: object;
}

/** A host's runtime whose routing is the real one. Nothing else of it works but what a test hands in. */
export function fakeRuntime(parts: RuntimeParts = {}): PluginRuntime {
  const config: OpenClawConfig = { session: { dmScope: "per-peer" }, ...parts.config };
  const resolve = async () => ({ senderAccess: { allowed: parts.allowed ?? true, reasonCode: "because" } });
  const runtime = {
    config: { current: () => config },
    channel: {
      routing: { buildAgentSessionKey, resolveAgentRoute },
      inbound: { ingress: { resolve }, buildContext: (context: object) => context, dispatch: parts.dispatch },
      pairing: { readAllowFromStore: async () => [] },
    },
    agent: {
      resolveAgentWorkspaceDir: () => "/srv/workspace",
      resolveAgentDir: () => "/srv/agent",
      runEmbeddedAgent: parts.runEmbeddedAgent,
    },
    events: { onAgentEvent: () => () => {} },
    llm: { complete: parts.complete },
    system: parts.system,
  };
  return runtime as unknown as PluginRuntime;
}
