import type { ConsentBy, EndReason, Trust, Usage } from "./events.ts";
import {
  AFTERWARDS,
  type Afterwards,
  type Attestation,
  type CallEvent,
  type CallOutcome,
  type Removable,
} from "./events.ts";
import { addUsage, carrierCostUsd, engineCostUsd, NO_USAGE } from "./pricing.ts";
import { type TranscriptEntry, withEntry } from "./transcript.ts";

export type CallState = "queued" | "dialing" | "ringing" | "active" | "held" | "ended";

/** One conversation, folded from its journal. Only `apply` makes a new one. */
export interface Call {
  readonly id: string;
  readonly accountId: string;
  readonly direction: "inbound" | "outbound";
  /** E.164 of who dialled. */
  readonly from: string;
  /** E.164 of who was dialled. */
  readonly to: string;
  readonly transport: "media-stream";
  readonly state: CallState;
  /** Why an outbound call is made; the model is told. */
  readonly purpose?: string;
  /** What an outbound call says first, word for word. */
  readonly message?: string;
  readonly agentId?: string;
  readonly sessionKey?: string;
  readonly principal?: string;
  readonly trust: Trust;
  readonly attestation?: Attestation;
  /** The conversation elsewhere that this call goes on with: the host's key of its session. */
  readonly continues?: string;
  /** The carrier's id of our leg. */
  readonly legId?: string;
  /** Whether the carrier has said that the leg is over. */
  readonly legEnded: boolean;
  readonly model?: string;
  readonly createdAtMs: number;
  readonly answeredAtMs?: number;
  readonly endedAtMs?: number;
  /** Set once somebody decided to end the call; the first reason stays. */
  readonly endRequested?: EndReason;
  readonly endReason?: EndReason;
  readonly transcript: readonly TranscriptEntry[];
  readonly usage: Usage;
  readonly bargeIns: number;
  readonly toolCalls: number;
  readonly faults: number;
  readonly longestSilenceMs?: number;
  /** Whether the call may be recorded, once that is known. */
  readonly consent?: { readonly ok: boolean; readonly by: ConsentBy };
  readonly recordings: readonly CallRecording[];
  /** How often a later process took the call up. */
  readonly resumes: number;
  /** Whether the transcript stands in the person's session. */
  readonly recorded: boolean;
  /** Whether the daily note is written. */
  readonly noted: boolean;
  /** What the call came to, once that is found. */
  readonly outcome?: CallOutcome;
  /** What else is done after the call, in the order in which it was. */
  readonly afterwards: readonly Afterwards[];
  /** What was taken away since, because its time was over. */
  readonly removed: readonly Removable[];
}

/** A recording of a call, as far as it got. */
export interface CallRecording {
  readonly id: string;
  readonly by: "own" | "carrier";
  readonly encrypted: boolean;
  readonly state: "running" | "paused" | "stopped" | "stored" | "failed" | "deleted";
  readonly startedAtMs: number;
  /** Sound in it, in milliseconds. */
  readonly durationMs?: number;
  /** Where it is once it is stored: a file's path below the state directory, or a URL. */
  readonly location?: string;
  readonly bytes?: number;
}

/** What lists, events and the API show of a call. Times in milliseconds since the epoch. */
export interface CallSummary {
  readonly callId: string;
  readonly accountId: string;
  readonly direction: "inbound" | "outbound";
  readonly from: string;
  readonly to: string;
  readonly state: CallState;
  readonly endReason?: EndReason;
  readonly purpose?: string;
  readonly agentId?: string;
  readonly sessionKey?: string;
  readonly trust: Trust;
  readonly createdAtMs: number;
  readonly answeredAtMs?: number;
  readonly endedAtMs?: number;
  readonly turns: number;
  readonly bargeIns: number;
  readonly toolCalls: number;
  readonly longestSilenceMs?: number;
  /** At list price; absent while the model's price is not known. */
  readonly costUsd?: number;
}

/** The state before the first event. */
export function newCall(): Call {
  return {
    id: "",
    accountId: "",
    direction: "inbound",
    from: "",
    to: "",
    transport: "media-stream",
    state: "queued",
    trust: "stranger",
    legEnded: false,
    createdAtMs: 0,
    transcript: [],
    usage: NO_USAGE,
    bargeIns: 0,
    toolCalls: 0,
    faults: 0,
    recordings: [],
    resumes: 0,
    recorded: false,
    noted: false,
    afterwards: [],
    removed: [],
  };
}

/** Folds one journal event into a call. The only writer of a call's state; replay is `events.reduce(apply, newCall())`. */
export function apply(call: Call, event: CallEvent): Call {
  if (call.state === "ended") return afterEnd(call, event);
  switch (event.type) {
    case "call.created": {
      const { type: _type, callId, atMs, ...facts } = event;
      return {
        ...call,
        ...facts,
        id: callId,
        createdAtMs: atMs,
        state: event.direction === "inbound" ? "ringing" : "queued",
      };
    }
    case "caller.routed": {
      const { type: _type, atMs: _atMs, ...route } = event;
      return { ...call, ...route };
    }
    case "leg.dialling":
      return call.state === "queued" ? { ...call, state: "dialing" } : call;
    case "leg.accepted":
      return { ...call, legId: event.legId };
    case "leg.ringing":
      return call.state === "queued" || call.state === "dialing" ? { ...call, state: "ringing" } : call;
    case "leg.answered":
      return call.answeredAtMs === undefined ? { ...call, state: "active", answeredAtMs: event.atMs } : call;
    case "leg.ended":
      return { ...call, legEnded: true };
    case "engine.opened":
      return { ...call, model: event.model };
    case "response.ended":
      return event.usage ? { ...call, usage: addUsage(call.usage, event.usage) } : call;
    case "playout.cut":
      return { ...call, bargeIns: call.bargeIns + 1 };
    case "trust.raised":
      return { ...call, trust: event.trust };
    case "transcript.added":
      return { ...call, transcript: withEntry(call.transcript, event.entry) };
    case "tool.called":
      return { ...call, toolCalls: call.toolCalls + 1 };
    case "fault.noted":
      return { ...call, faults: call.faults + 1 };
    case "call.released":
      return { ...call, longestSilenceMs: Math.max(call.longestSilenceMs ?? 0, event.longestSilenceMs) };
    case "call.resumed":
      return { ...call, resumes: call.resumes + 1 };
    case "consent.decided":
      return { ...call, consent: { ok: event.ok, by: event.by } };
    case "recording.started":
    case "recording.paused":
    case "recording.resumed":
    case "recording.stopped":
    case "recording.stored":
    case "recording.failed":
    case "recording.deleted":
      return withRecording(call, event);
    case "end.requested":
      return call.endRequested ? call : { ...call, endRequested: event.reason };
    case "call.ended":
      return {
        ...call,
        state: "ended",
        endReason: event.reason,
        endedAtMs: event.atMs,
        longestSilenceMs: Math.max(call.longestSilenceMs ?? 0, event.longestSilenceMs),
      };
    case "consent.asked":
    case "media.started":
    case "media.stopped":
    case "engine.closed":
    case "response.started":
    case "speech.started":
    case "speech.stopped":
    case "tool.finished":
    case "dtmf.received":
    case "dtmf.sent":
    case "offer.declined":
    case "code.sent":
    case "code.tried":
    case "owner.asked":
    case "owner.answered":
    case "handoff.made":
    case "context.refreshed":
    case "session.recorded":
    case "memory.written":
    case "outcome.found":
    case "afterwards.done":
    case "data.removed":
      return call;
    default:
      event satisfies never;
      return call; // a journal may be newer than this code
  }
}

/** A call that has ended stays ended: carriers do not order their callbacks. Only the work after it is noted. */
function afterEnd(call: Call, event: CallEvent): Call {
  switch (event.type) {
    case "session.recorded":
      return { ...call, recorded: true };
    case "memory.written":
      return { ...call, noted: true };
    case "outcome.found": {
      const { type: _type, atMs: _atMs, ...outcome } = event;
      return { ...call, outcome };
    }
    case "afterwards.done":
      return call.afterwards.includes(event.step) ? call : { ...call, afterwards: [...call.afterwards, event.step] };
    case "data.removed":
      return call.removed.includes(event.what) ? call : { ...call, removed: [...call.removed, event.what] };
    case "leg.ended":
      return call.legEnded ? call : { ...call, legEnded: true };
    // A recording is finished, stored and deleted after the call.
    case "recording.stopped":
    case "recording.stored":
    case "recording.failed":
    case "recording.deleted":
      return withRecording(call, event);
    default:
      return call;
  }
}

type RecordingEvent = Extract<CallEvent, { type: `recording.${string}` }>;

const RECORDING_STATE = {
  "recording.paused": "paused",
  "recording.resumed": "running",
  "recording.stopped": "stopped",
  "recording.stored": "stored",
  "recording.failed": "failed",
  "recording.deleted": "deleted",
} as const;

/** Folds what became of a recording; one that was never begun is unknown and stays so. */
function withRecording(call: Call, event: RecordingEvent): Call {
  const { recordings } = call;
  if (event.type === "recording.started") {
    const { recordingId: id, by, encrypted, atMs: startedAtMs } = event;
    if (recordings.some((known) => known.id === id)) return call;
    return { ...call, recordings: [...recordings, { id, by, encrypted, state: "running", startedAtMs }] };
  }
  const state = RECORDING_STATE[event.type];
  const facts = {
    ...("durationMs" in event && { durationMs: event.durationMs }),
    ...("location" in event && { location: event.location, bytes: event.bytes }),
  };
  const changed = (recording: CallRecording): CallRecording =>
    recording.id === event.recordingId && recording.state !== "deleted" ? { ...recording, ...facts, state } : recording;
  return { ...call, recordings: recordings.map(changed) };
}

/** Whether all that comes after a call is done. */
export function isSettled(call: Call): boolean {
  const rest = AFTERWARDS.some((step) => !call.afterwards.includes(step));
  return call.state === "ended" && call.recorded && call.noted && !rest;
}

/** The other person's number, whoever dialled. */
export function callerNumber(call: Pick<Call, "direction" | "from" | "to">): string {
  return call.direction === "inbound" ? call.from : call.to;
}

/** What the call has cost so far at list price, or `undefined` when the model's price is not known. */
export function callCostUsd(call: Call, nowMs: number): number | undefined {
  const engine = call.model === undefined ? 0 : engineCostUsd(call.model, call.usage);
  if (engine === undefined) return undefined;
  const connectedMs = call.answeredAtMs === undefined ? 0 : (call.endedAtMs ?? nowMs) - call.answeredAtMs;
  return engine + carrierCostUsd(call.direction, connectedMs);
}

/** The public view of a call; `nowMs` prices a call that still runs. */
export function summarise(call: Call, nowMs: number): CallSummary {
  const costUsd = callCostUsd(call, nowMs);
  return {
    callId: call.id,
    accountId: call.accountId,
    direction: call.direction,
    from: call.from,
    to: call.to,
    state: call.state,
    trust: call.trust,
    createdAtMs: call.createdAtMs,
    turns: call.transcript.length,
    bargeIns: call.bargeIns,
    toolCalls: call.toolCalls,
    ...(call.endReason && { endReason: call.endReason }),
    ...(call.purpose !== undefined && { purpose: call.purpose }),
    ...(call.agentId !== undefined && { agentId: call.agentId }),
    ...(call.sessionKey !== undefined && { sessionKey: call.sessionKey }),
    ...(call.answeredAtMs !== undefined && { answeredAtMs: call.answeredAtMs }),
    ...(call.endedAtMs !== undefined && { endedAtMs: call.endedAtMs }),
    ...(call.longestSilenceMs !== undefined && { longestSilenceMs: call.longestSilenceMs }),
    ...(costUsd !== undefined && { costUsd }),
  };
}
