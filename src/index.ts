// The plugin

export type { VoiceConfig } from "./config-types.ts";
export type { VoiceChannelOptions } from "./plugin/options.ts";
export { VoiceChannelPlugin } from "./plugin.ts";

// Running it without OpenClaw, and tools of one's own

export type { ToolContext, VoiceTool } from "./calls/tools.ts";
export { type StandaloneHostOptions, standaloneHost } from "./hosts/standalone.ts";

// What it is asked and what it answers

export type { ErasureOrder, ErasureReceipt } from "./calls/erasure.ts";
export type { NumberLink, UnlinkOrder } from "./calls/links.ts";
export type { TranscriptDocument, TranscriptFormat } from "./core/transcript-export.ts";
export type {
  AccountStatus,
  CallDetails,
  EndedCall,
  Finding,
  PlaceCallRequest,
  RecordingSound,
  SentDigits,
  StatusReport,
} from "./http/doors.ts";

// Calls and their folding

export { apply, type Call, type CallState, type CallSummary, newCall } from "./core/call.ts";
export { type Clock, systemClock, type Timer } from "./core/clock.ts";
export type { Speaker, TranscriptEntry } from "./core/transcript.ts";

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

// Contracts, for those who write a carrier, an engine, a store or a host

export type * from "./carriers/carrier.ts";
export type * from "./engines/engine.ts";
export type * from "./hosts/host.ts";
export type * from "./stores/store.ts";

// The managers, for those who compose a channel of their own

export { VoiceCallHandler } from "./call-handler.ts";
export { VoiceContextManager } from "./context-manager.ts";
export { VoiceSessionManager } from "./session-manager.ts";
