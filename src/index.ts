// The plugin

// The managers, for those who compose a channel of their own
export { VoiceCallHandler } from "./call-handler.ts";
export type { ToolContext, VoiceTool } from "./calls/tools.ts";
// Contracts, for those who write a carrier, an engine, a store or a host
export type * from "./carriers/carrier.ts";
export type { VoiceConfig } from "./config-types.ts";
export { VoiceContextManager } from "./context-manager.ts";
// Calls and their folding
export { apply, type Call, type CallState, type CallSummary, newCall } from "./core/call.ts";
export { type Clock, systemClock, type Timer } from "./core/clock.ts";
// Errors and events
export * from "./core/errors.ts";
export {
  type CallEvent,
  END_REASONS,
  type EndReason,
  type JournalEntry,
  type Trust,
  type Usage,
  type VoiceEvents,
} from "./core/events.ts";
export type { Speaker, TranscriptEntry } from "./core/transcript.ts";
export type * from "./engines/engine.ts";
export type * from "./hosts/host.ts";
export { type StandaloneHostOptions, standaloneHost } from "./hosts/standalone.ts";
export type {
  AccountStatus,
  CallDetails,
  EndedCall,
  Finding,
  PlaceCallRequest,
  StatusReport,
} from "./http/doors.ts";
export { type VoiceChannelOptions, VoiceChannelPlugin } from "./plugin.ts";
export { VoiceSessionManager } from "./session-manager.ts";
export type * from "./stores/store.ts";
