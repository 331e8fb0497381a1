import { type Clock, standaloneHost, VoiceChannelPlugin, type VoiceConfig } from "openclaw-voice-channel";

/** Answers the phone for an agent of your own: `ask` is whatever can answer a question. A test hands in its clock. */
export async function answerThePhone(
  config: VoiceConfig,
  ask: (question: string) => Promise<string>,
  options: { stateDir: string; clock?: Clock },
) {
  const host = standaloneHost({ consult: ({ question }) => ask(question) });
  const voice = new VoiceChannelPlugin({ config, host, ...options });
  voice.on("transcript", ({ speaker, text }) => console.log(`${speaker}: ${text}`));
  voice.on("ended", ({ endReason }) => console.log(`The call is over: ${endReason}`));
  await voice.start();
  return voice; // when you are done: await voice.stop()
}
