import type { PluginRuntime } from "openclaw/plugin-sdk/channel-core";
import { HostError } from "../../core/errors.ts";

/**
 * Leaves a note in a session and asks the host to let its agent look at it. The host spaces such turns itself (30 s
 * apart, five a minute): notes that come earlier wait and are looked at together. A note that waits already is not
 * left twice.
 * @throws HostError the host did not take it
 */
export async function wakeAgent(
  { system }: PluginRuntime,
  { agentId, sessionKey }: { readonly agentId: string; readonly sessionKey: string },
  { text, key }: { readonly text: string; readonly key: string },
): Promise<void> {
  if (text.trim() === "") throw new HostError("A note to wake the agent with has no words.");
  try {
    system.enqueueSystemEvent(text, { agentId, sessionKey, contextKey: `voice:${key}` });
    system.requestHeartbeat({ source: "other", intent: "event", reason: `voice:${key}`, agentId, sessionKey });
  } catch (cause) {
    throw new HostError(`The agent of session ${sessionKey} could not be woken.`, { cause });
  }
}
