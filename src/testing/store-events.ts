import { AFTERWARDS, type CallEvent } from "../core/events.ts";

export type Created = Extract<CallEvent, { type: "call.created" }>;

export const created = (callId: string): Created => ({
  type: "call.created",
  atMs: 1,
  callId,
  accountId: "default",
  direction: "inbound",
  from: "+15550005678",
  to: "+15550001234",
  transport: "media-stream",
});
export const ended: CallEvent = { type: "call.ended", atMs: 8, reason: "caller_hangup", longestSilenceMs: 0 };
export const turn = (id: string, text: string, startMs: number): CallEvent => ({
  type: "transcript.added",
  atMs: 4,
  entry: { id, speaker: "caller", text, startMs, heardMs: 10, cut: false },
});
/** All that comes after a call. */
export const settledBy: readonly CallEvent[] = [
  { type: "session.recorded", atMs: 9, how: "rows", rows: 2 },
  { type: "memory.written", atMs: 9, file: "memory/2026-01-01.md" },
  ...AFTERWARDS.map((step) => ({ type: "afterwards.done", atMs: 9, step, result: "done" }) as const),
];
