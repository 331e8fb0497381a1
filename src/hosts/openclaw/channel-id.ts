/** The channel's id in OpenClaw: `channels.voice`, targets `voice:+1555…`, and the plugin's own id. */
export const CHANNEL = "voice";
