import type { WebhookKind } from "./types.ts";

/**
 * What goes wrong, on demand. Every hook is asked for each event anew and may be replaced at any time;
 * no hook, or `undefined` from it, means that all is well.
 */
export interface Faults {
  /** Asked for each webhook before it leaves. */
  webhook?: (request: WebhookInfo) => WebhookFate | undefined;
  /** Asked for each REST request before it is carried out. */
  rest?: (request: RestInfo) => RestFate | undefined;
  /** Asked once for each media stream before it connects. */
  stream?: (stream: StreamInfo) => StreamFate | undefined;
  /** Asked once for each recording as it begins. */
  recording?: (recording: RecordingInfo) => RecordingFate | undefined;
  /** Asked for each 20 ms frame of the person's audio; false loses it (the time stamps then show a gap). */
  deliverFrame?: (frame: FrameInfo) => boolean;
}

export interface WebhookInfo {
  readonly kind: WebhookKind;
  readonly callSid: string;
  readonly url: string;
  readonly params: Readonly<Record<string, string>>;
}

export interface WebhookFate {
  /** Leaves so many milliseconds late. */
  delayMs?: number;
  /** Leaves only after the next webhook of the same call has been answered: the two change places. */
  swapWithNext?: boolean;
  /** Never leaves. A voice webhook then fails as unreachable. */
  lose?: boolean;
  /** Arrives and is answered, but the answer gets lost. A voice webhook then fails. */
  loseAnswer?: boolean;
  /** How often it arrives, with one idempotency token; default 1. The first answer counts. */
  copies?: number;
}

export interface RestInfo {
  readonly method: string;
  readonly path: string;
  /** The form fields, or the query of a GET. */
  readonly params: Readonly<Record<string, string>>;
}

export interface RestFate {
  /** Waits so many milliseconds before anything else. */
  delayMs?: number;
  /** Refuses with this HTTP status and Twilio error code instead of acting. */
  error?: { status: number; code: number; message?: string };
  /** Cuts the connection instead of acting. */
  unreachable?: boolean;
  /** Acts, then cuts the connection: the client cannot know whether it happened. */
  loseAnswer?: boolean;
}

export interface StreamInfo {
  readonly callSid: string;
  readonly streamSid: string;
  readonly url: string;
}

export interface StreamFate {
  /** Milliseconds before the connection is tried. */
  connectDelayMs?: number;
  /** Resets the connection (RST) so many milliseconds after it opened. */
  resetAfterMs?: number;
  /** Stops reading and sending, without a FIN, so many milliseconds after it opened. */
  freezeAfterMs?: number;
}

export interface RecordingInfo {
  readonly callSid: string;
  readonly url: string;
}

export interface RecordingFate {
  /** Becomes this in place of "completed". */
  outcome?: "absent" | "failed";
  /** How long it is worked on after its end; default 1,000. */
  processingMs?: number;
}

export interface FrameInfo {
  readonly callSid: string;
  /** Counts from 1. */
  readonly chunk: number;
}
