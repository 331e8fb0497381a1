import { randomUUID } from "node:crypto";
import type { PluginRuntime } from "openclaw/plugin-sdk/channel-core";
import type { Logger } from "../host.ts";
import { callSessionKey } from "./caller-route.ts";
import { CHANNEL } from "./channel-id.ts";
import { currentConfig } from "./raw-config.ts";

/** A run that has not come so far by then is given up. */
const LONGEST_MS = 60_000;

/**
 * Loads what the first question to the agent would wait for (seconds): a run goes as far as the model's door and is
 * ended there, so that no model is called and nothing is kept. Never rejects.
 */
export async function warmAgent(runtime: PluginRuntime, logger: Logger): Promise<void> {
  const atTheDoor = new AbortController();
  const startedAt = performance.now();
  try {
    const config = currentConfig(runtime);
    const route = runtime.channel.routing.resolveAgentRoute({ cfg: config, channel: CHANNEL });
    const { agentId } = route;
    await runtime.agent.runEmbeddedAgent({
      agentId,
      sessionId: randomUUID(),
      sessionKey: callSessionKey(runtime, { agentId, accountId: "default", callId: "warm-up" }),
      sessionPersistence: "detached",
      runId: `${CHANNEL}-warm-up-${randomUUID()}`,
      workspaceDir: runtime.agent.resolveAgentWorkspaceDir(config, agentId),
      agentDir: runtime.agent.resolveAgentDir(config, agentId),
      config,
      prompt: "Nothing is asked.",
      bootstrapContextMode: "lightweight",
      disableTools: true,
      disableMessageTool: true,
      messageProvider: CHANNEL,
      thinkLevel: "off",
      verboseLevel: "off",
      timeoutMs: LONGEST_MS,
      abortSignal: atTheDoor.signal,
      onExecutionPhase: ({ phase }) => {
        if (phase === "context_assembled") atTheDoor.abort();
      },
    });
  } catch (error) {
    if (!atTheDoor.signal.aborted) logger.warn("The agent could not be warmed up.", { error });
  }
  logger.debug("The agent's path is loaded.", { ms: Math.round(performance.now() - startedAt) });
}
