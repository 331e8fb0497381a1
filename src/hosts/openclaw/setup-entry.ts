import { defineSetupPluginEntry } from "openclaw/plugin-sdk/channel-core";
import { voiceChannel } from "./channel.ts";

/** What the host loads when it only sets up or inspects the channel. */
export default defineSetupPluginEntry(voiceChannel());
