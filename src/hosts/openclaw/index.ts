import { type ChannelPlugin, defineChannelPluginEntry } from "openclaw/plugin-sdk/channel-core";
import { systemClock } from "../../core/clock.ts";
import type { VoiceAccount } from "./accounts.ts";
import { registerAnswers } from "./answers.ts";
import { voiceChannel } from "./channel.ts";
import { CHANNEL } from "./channel-id.ts";
import { registerCli } from "./cli.ts";
import { registerGatewayMethods } from "./gateway-methods.ts";
import { VoiceRuntime } from "./runtime.ts";
import { phoneCallTool, TOOL } from "./tool.ts";

/** One for each time the host loads this file: it does nothing until the host starts the service. */
const runtime = new VoiceRuntime();

/** What the OpenClaw host loads: the channel, its service, the agent's tool, gateway methods and commands. */
const entry: ReturnType<typeof defineChannelPluginEntry<ChannelPlugin<VoiceAccount>>> = defineChannelPluginEntry({
  id: CHANNEL,
  name: "Voice",
  description: "Phone calls as a channel: people ring the agent, the agent rings people.",
  plugin: voiceChannel((task) => runtime.serve(task)),
  registerCliMetadata: registerCli,
  registerFull(api) {
    runtime.register(api);
    api.registerTool(phoneCallTool(), { name: TOOL });
    registerGatewayMethods(api, runtime.use);
    // The host also loads this file merely to read the tool; that copy is never asked anything else.
    if (api.registrationMode === "full") registerAnswers(api, runtime.answer, systemClock());
    api.on("before_dispatch", (event, context) => {
      const sessionKey = event.sessionKey ?? context.sessionKey;
      if (sessionKey !== undefined) runtime.turnComes(sessionKey);
    });
    api.on("gateway_start", () => runtime.gatewayStarted());
    api.registerService({
      id: CHANNEL,
      // Accounts come and go by themselves; what they share can only be opened anew.
      reload: {
        configPrefixes: ["publicUrl", "listen", "store", "logging"].map((key) => `channels.${CHANNEL}.${key}`),
      },
      start: (service) => runtime.start(service),
      stop: () => runtime.stop(),
    });
  },
});

export default entry;
