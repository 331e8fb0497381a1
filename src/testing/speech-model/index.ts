export type { ModelItem } from "./conversation.ts";
export type { Faults } from "./faults.ts";
export { gullible, type Mind, type MindAction, type Rule, ruleMind, type ToolResult, type Turn } from "./mind.ts";
export { type SpeechModel, type SpeechModelOptions, startSpeechModel } from "./server.ts";
export type { ModelSession } from "./session.ts";
export { dictatedVad, energyVad, flawedVad, type VadSource, type VadVerdict } from "./vad.ts";
export { signWebhook } from "./webhook.ts";
