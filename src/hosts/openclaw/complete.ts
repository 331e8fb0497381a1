import type { PluginRuntime } from "openclaw/plugin-sdk/channel-core";
import { HostError } from "../../core/errors.ts";
import type { CompletionRequest } from "../host.ts";

/**
 * Has the host's own text model write. No agent is named: choosing one needs a permission of its own
 * (`plugins.entries.voice.llm`), and the default agent's model is the operator's choice already.
 * @throws HostError there is no model, or it failed or wrote nothing
 */
export async function completeText(
  runtime: PluginRuntime,
  { purpose, system, prompt }: CompletionRequest,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  try {
    const { text, stopReason } = await runtime.llm.complete({
      messages: [{ role: "user", content: prompt }],
      systemPrompt: system,
      purpose,
      signal,
    });
    signal.throwIfAborted();
    if (stopReason === "error" || stopReason === "aborted") throw new HostError("The host's text model failed.");
    if (text.trim() === "") throw new HostError("The host's text model wrote nothing.");
    return text;
  } catch (cause) {
    if (cause instanceof HostError || signal.aborted) throw cause;
    throw new HostError("The host's text model could not be asked.", { cause });
  }
}
