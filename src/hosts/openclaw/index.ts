import { defineChannelPluginEntry } from "openclaw/plugin-sdk/channel-core";
import { voiceChannel } from "./channel.ts";
import { CHANNEL } from "./channel-id.ts";

/** What the OpenClaw host loads: the channel, its service, its tool, its gateway methods and its commands. */
export default defineChannelPluginEntry({
  id: CHANNEL,
  name: "Voice",
  description: "Phone calls as a channel: people ring the agent, the agent rings people.",
  plugin: voiceChannel,
});
