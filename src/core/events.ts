import type { CallRecording, CallSummary } from "./call.ts";
import type { VoiceError } from "./errors.ts";
import type { Speaker, TranscriptEntry } from "./transcript.ts";

/** Why a call is over: the closed list. */
export const END_REASONS = [
  "caller_hangup",
  "callee_hangup",
  "agent_ended",
  "busy",
  "no_answer",
  "rejected",
  "invalid_number",
  "not_allowed",
  "machine",
  "carrier_error",
  "engine_error",
  "idle",
  "max_duration",
  "budget",
  "shutdown",
  "lost",
  "cancelled",
] as const;
export type EndReason = (typeof END_REASONS)[number];

/** What a response of the engine consumed, in tokens; `cached` is part of the input. */
export interface Usage {
  readonly inputTextTokens: number;
  readonly inputAudioTokens: number;
  readonly cachedTextTokens: number;
  readonly cachedAudioTokens: number;
  readonly outputTextTokens: number;
  readonly outputAudioTokens: number;
}

/** How far a caller is believed to be who they seem. A caller ID alone gives at most `known`. */
export type Trust = "stranger" | "known" | "owner";

/**
 * What the telephone network vouches for of a caller's number (STIR/SHAKEN, RFC 8588): `full` the right to use it,
 * `partial` the customer, `gateway` only where the call came in; `failed`: the signature is wrong.
 */
export type Attestation = "full" | "partial" | "gateway" | "failed";

/** One thing that somebody said they would do. */
export interface Commitment {
  /** Who is to do it. */
  readonly by: "agent" | "caller";
  readonly what: string;
  /** When it is due, in the words that were used. */
  readonly due?: string;
  /** The words on the call that say so. */
  readonly quote: string;
  /** Milliseconds from the answer of the call to those words. */
  readonly atMs: number;
}

/** What a call came to. */
export interface CallOutcome {
  /** Two or three sentences. */
  readonly summary: string;
  /** One line: what was reached, or why not. */
  readonly outcome: string;
  readonly commitments: readonly Commitment[];
  /** Whether somebody has to do something because of the call. */
  readonly needsAction: boolean;
  /** `model`: written by a text model. `extract`: picked from what was said, because there is no model or it failed. */
  readonly madeBy: "model" | "extract";
}

/** How it is known whether a call may be recorded: it was announced, said or keyed, or nobody answered. */
export type ConsentBy = "announcement" | "words" | "keys" | "nobody";

/** What is done after a call beside the session's rows and the note, each once. */
export const AFTERWARDS = ["outcome", "history", "card", "notice", "wake"] as const;
export type Afterwards = (typeof AFTERWARDS)[number];

/** What may be taken away from a call that is over while its numbers stay: every word, its recordings, its flight record. */
export const REMOVABLE = ["words", "recordings", "flight-record"] as const;
export type Removable = (typeof REMOVABLE)[number];

interface At {
  /** Milliseconds since the epoch, by the owner's clock. */
  readonly atMs: number;
}

/**
 * Everything that happens to a call, as it stands in the journal. `apply` folds it into the call's state.
 * Gated events are durable before they act, observed ones are written within 50 ms (design: "written before done").
 */
export type CallEvent = At &
  (
    | {
        readonly type: "call.created";
        readonly callId: string;
        readonly accountId: string;
        readonly direction: "inbound" | "outbound";
        readonly from: string;
        readonly to: string;
        readonly transport: "media-stream";
        readonly purpose?: string;
        readonly message?: string;
        /** What the network says of the caller's number; absent when it says nothing. */
        readonly attestation?: Attestation;
        /** The conversation elsewhere that this call goes on with: the host's key of its session. */
        readonly continues?: string;
      }
    | {
        readonly type: "caller.routed";
        readonly agentId: string;
        readonly sessionKey: string;
        readonly principal?: string;
        readonly trust: Trust;
      }
    /** Gated: written before the carrier is asked to dial. */
    | { readonly type: "leg.dialling" }
    | { readonly type: "leg.accepted"; readonly legId: string }
    | { readonly type: "leg.ringing" }
    | { readonly type: "leg.answered"; readonly answeredBy?: string }
    | { readonly type: "leg.ended"; readonly reason: EndReason; readonly carrierStatus: string }
    | { readonly type: "media.started"; readonly streamId: string }
    | { readonly type: "media.stopped"; readonly reason: string }
    | { readonly type: "engine.opened"; readonly sessionId: string; readonly model: string }
    | { readonly type: "engine.closed"; readonly reason: string }
    | { readonly type: "response.started"; readonly responseId: string; readonly cause: string }
    | { readonly type: "response.ended"; readonly responseId: string; readonly status: string; readonly usage?: Usage }
    | { readonly type: "speech.started"; readonly speaker: Speaker }
    | { readonly type: "speech.stopped"; readonly speaker: Speaker }
    /** The agent was interrupted: the rest of this item was never heard. */
    | { readonly type: "playout.cut"; readonly itemId: string; readonly heardMs: number; readonly producedMs: number }
    | { readonly type: "transcript.added"; readonly entry: TranscriptEntry }
    /** Gated: written before the tool runs. */
    | {
        readonly type: "tool.called";
        readonly toolCallId: string;
        readonly name: string;
        readonly argumentsJson: string;
      }
    | { readonly type: "tool.finished"; readonly toolCallId: string; readonly ok: boolean; readonly durationMs: number }
    /** The caller pressed a key; `x` where it is secret. */
    | { readonly type: "dtmf.received"; readonly digit: string }
    /** Gated: a one-time code goes to the owner's own chat. The code itself is written nowhere. */
    | { readonly type: "code.sent" }
    /** Gated: somebody on the call gave a code. */
    | { readonly type: "code.tried"; readonly ok: boolean }
    /** Gated: who speaks was verified by more than their number. */
    | { readonly type: "trust.raised"; readonly trust: Trust; readonly by: "code" }
    /** Gated: the owner is asked in their own chat while the call runs. */
    | { readonly type: "owner.asked"; readonly questionId: string; readonly question: string }
    | {
        readonly type: "owner.answered";
        readonly questionId: string;
        readonly by: "button" | "text" | "nobody";
        readonly answer?: string;
      }
    /** The conversation, or something of it, was sent to another channel of the person. */
    | { readonly type: "handoff.made"; readonly channel: string; readonly to: string }
    /** The model was told anew, because files have changed or somebody was verified. */
    | { readonly type: "context.refreshed"; readonly because: string }
    /** Keys were handed to the line as tones. */
    | { readonly type: "dtmf.sent"; readonly digits: string }
    /** Gated: this process lets go of a call that goes on at the carrier; the next one is to take it up. */
    | { readonly type: "call.released"; readonly longestSilenceMs: number }
    /**
     * Gated: this process takes up a call that was left open. `redirected`: we had the carrier come back; `returned`:
     * it came by itself. `awayMs`: since the last entry before.
     */
    | { readonly type: "call.resumed"; readonly how: "redirected" | "returned"; readonly awayMs: number }
    /** The caller is told that the call is recorded, or asked whether it may be. */
    | { readonly type: "consent.asked"; readonly how: "announce" | "ask" }
    /** Gated: whether the call may be recorded, and how that is known. */
    | { readonly type: "consent.decided"; readonly ok: boolean; readonly by: ConsentBy }
    /** Gated: sound is kept from now on, by us or by the carrier. */
    | {
        readonly type: "recording.started";
        readonly recordingId: string;
        readonly by: "own" | "carrier";
        readonly encrypted: boolean;
      }
    | { readonly type: "recording.paused"; readonly recordingId: string }
    | { readonly type: "recording.resumed"; readonly recordingId: string }
    | { readonly type: "recording.stopped"; readonly recordingId: string; readonly durationMs: number }
    /** The recording is whole where it stays; `location` is a file's path below the state directory, or a URL. */
    | {
        readonly type: "recording.stored";
        readonly recordingId: string;
        readonly location: string;
        readonly bytes: number;
        readonly durationMs: number;
      }
    | { readonly type: "recording.failed"; readonly recordingId: string; readonly message: string }
    | {
        readonly type: "recording.deleted";
        readonly recordingId: string;
        readonly because: "retention" | "order";
      }
    /** Something went wrong that did not end the call; nothing fails in silence. */
    | { readonly type: "fault.noted"; readonly code: string; readonly message: string }
    /** Gated: written before the carrier is asked to hang up. */
    | { readonly type: "end.requested"; readonly reason: EndReason }
    | { readonly type: "call.ended"; readonly reason: EndReason; readonly longestSilenceMs: number }
    /** Gated: a call that the engine's provider offered is declined. It stands in a journal of its own, without a call. */
    | {
        readonly type: "offer.declined";
        readonly accountId: string;
        readonly engineCallId: string;
        readonly sipStatus: number;
      }
    /** After the call: its transcript stands in the person's session. */
    | { readonly type: "session.recorded"; readonly how: string; readonly rows: number }
    /** After the call: the daily file holds its note. */
    | { readonly type: "memory.written"; readonly file: string }
    /** After the call: what it came to. */
    | ({ readonly type: "outcome.found" } & CallOutcome)
    /** After the call: a further step is done; `result` says how, in a word or two. */
    | { readonly type: "afterwards.done"; readonly step: Afterwards; readonly result: string }
    /** Its time is over: it was taken away, and nothing of the kind is kept of this call any more. */
    | { readonly type: "data.removed"; readonly what: Removable }
  );

/** A journal entry as stored: its place in the call's journal, and the event. */
export interface JournalEntry {
  /** 1, 2, 3 … within one call. */
  readonly seq: number;
  readonly event: CallEvent;
}

/** What of a call was sent to another channel, and where. */
export interface CallHandoff {
  readonly channel: string;
  readonly to: string;
  /** The text that was sent. */
  readonly text: string;
}

/** What the plugin tells its listeners. Each payload is a plain object that may be kept. */
export interface VoiceEvents {
  /** A call rings: a person rings the agent, or the carrier says that an outbound leg rings. */
  ringing: [call: CallSummary];
  /** The call is answered; for media-stream calls audio flows from now on. */
  answered: [call: CallSummary];
  /** Words of a turn that is not finished. They may still change. The agent's come five times a second at most. */
  partial: [words: { speaker: Speaker; text: string }, call: CallSummary];
  /** A turn is final for one side. For the agent it holds the words that were heard, not those generated. */
  transcript: [entry: TranscriptEntry, call: CallSummary];
  /** The caller spoke while the agent did, and the agent stopped. */
  bargeIn: [cut: { itemId: string; heardMs: number }, call: CallSummary];
  /** The model called a tool; it runs from now on. */
  toolCalled: [tool: { toolCallId: string; name: string }, call: CallSummary];
  /** The caller pressed a key; `x` where it is secret. */
  dtmf: [digit: string, call: CallSummary];
  /** The conversation, or something of it, was sent to another channel. */
  handoff: [handoff: CallHandoff, call: CallSummary];
  /** A recording of the call has begun, or something has become of it; also after the call. */
  recording: [recording: CallRecording, call: CallSummary];
  /** The known cost of the call has grown. */
  costChanged: [costUsd: number, call: CallSummary];
  /** The call has ended and everything about it is stored. Emitted once per call. */
  ended: [call: CallSummary];
  /** Something failed that no caller of a method is told. Also logged, listener or not. */
  error: [error: VoiceError, call: CallSummary | undefined];
}
