import { createPluginRuntimeStore } from "openclaw/plugin-sdk/runtime-store";
import { NotRunningError } from "../../core/errors.ts";
import type { VoiceChannelPlugin } from "../../plugin.ts";

/**
 * The host runs an agent's tools in another copy of this package than its service: nothing of a module is shared
 * between the two. The SDK's named slot is the host's own way across.
 */
const slot = createPluginRuntimeStore<VoiceChannelPlugin | undefined>({
  key: "openclaw-voice-channel:desk",
  errorMessage: "The voice channel is not running.",
});

/** Makes the open channel known to every copy of this package in the process. */
export function offerDesk(plugin: VoiceChannelPlugin): void {
  slot.setRuntime(plugin);
}

/** Takes back what `offerDesk` made known, unless another one was offered since. */
export function withdrawDesk(plugin: VoiceChannelPlugin): void {
  if (slot.tryGetRuntime() === plugin) slot.clearRuntime();
}

/** The open channel. @throws NotRunningError there is none in this process */
export function requireDesk(): VoiceChannelPlugin {
  const plugin = slot.tryGetRuntime();
  if (!plugin) throw new NotRunningError();
  return plugin;
}
