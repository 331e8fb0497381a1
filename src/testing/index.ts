// A world without accounts: people at phones, and a speech model

export { type BenchPhone, type CarrierBench, carrierConformance } from "./carrier-conformance.ts";
// Voices and ears
export { bestEars, type Ears, type ScriptEars, scriptEars, taughtVoice } from "./ears.ts";
export { type EngineMaker, engineConformance } from "./engine-conformance.ts";
// Suites that a store, a carrier or an engine of one's own must pass, and what they draw from
export { callEvents, journals } from "./journals.ts";
export * from "./phone-network/index.ts";
export { type PocketsphinxOptions, pocketsphinxEars, pocketsphinxInstalled } from "./pocketsphinx.ts";
export {
  dictatedVad,
  energyVad,
  flawedVad,
  gullible,
  type Mind,
  type MindAction,
  type ModelItem,
  type ModelSession,
  type Rule,
  ruleMind,
  type SpeechModel,
  type SpeechModelOptions,
  signWebhook,
  startSpeechModel,
  type ToolResult,
  type Turn,
  type VadSource,
} from "./speech-model/index.ts";
export { type SteadyClock, type SteadyClockOptions, steadyClock } from "./steady-clock.ts";
export { storeConformance } from "./store-conformance.ts";
export { type FliteVoice, fliteVoice } from "./voice.ts";
