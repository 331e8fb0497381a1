import type { Attestation, EndReason } from "../core/events.ts";

/** What a carrier can do. The core asks these, never the carrier's name. */
export interface CarrierCapabilities {
  /** Whether audio passes through this process frame by frame. */
  readonly mediaStream: boolean;
  /** Whether key tones can be sent: in-band over the media path, or by the carrier. */
  readonly sendsDigits: boolean;
  /** Whether it tells of keys that the caller presses. Where it does not, they are heard in the caller's sound. */
  readonly tellsKeys: boolean;
  /** Whether the carrier can record a leg by itself. */
  readonly records: boolean;
}

/** A request as it arrived on our listener, before anybody believes it. */
export interface RawRequest {
  readonly method: string;
  /** Path and query as requested, such as `/<carrier>/default/voice?call=call_1`. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

declare const verified: unique symbol;
/** A request whose signature was accepted. Only `verify` makes one. */
export type VerifiedRequest = RawRequest & { readonly [verified]: true };

/** What a webhook told us. `key` is the same for a repetition of the same message. */
export type CarrierEvent = { readonly legId: string; readonly key: string; readonly callId?: string } & (
  | {
      /** A leg wants an answer: an inbound call, or an outbound one that was picked up. */
      readonly type: "leg.waiting";
      readonly direction: "inbound" | "outbound";
      readonly from: string;
      readonly to: string;
      /** What the network says of an inbound caller's number; absent when it says nothing. */
      readonly attestation?: Attestation;
    }
  /** The leg came back after its media ended unexpectedly: our process had been away. */
  | { readonly type: "leg.returned" }
  | { readonly type: "leg.accepted"; readonly sequence: number }
  | { readonly type: "leg.ringing"; readonly sequence: number }
  | { readonly type: "leg.answered"; readonly sequence: number; readonly answeredBy?: string }
  | {
      readonly type: "leg.ended";
      readonly sequence: number;
      readonly reason: EndReason;
      readonly carrierStatus: string;
    }
  /** A status we do not know. It never tears a call down. */
  | { readonly type: "leg.unknown"; readonly sequence: number; readonly carrierStatus: string }
  /** A recording that we had asked for is whole at the carrier, or will never be. */
  | { readonly type: "recording.reported"; readonly recordingId: string; readonly recording: CarrierRecording }
);

/** How a waiting leg is to be answered. */
export type Answer =
  /** Connect audio to us. `token` proves the stream's origin, once. */
  | { readonly kind: "connect"; readonly callId: string; readonly token: string }
  /** Say a sentence, then hang up. */
  | { readonly kind: "speak"; readonly text: string; readonly language: string }
  /** Hang up at once. */
  | { readonly kind: "hang-up" };

/** A reply to a webhook, ready to be sent. */
export interface CarrierReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** An outbound leg to be dialled. */
export interface DialOrder {
  readonly callId: string;
  /** E.164, one of the account's numbers. */
  readonly from: string;
  /** E.164. */
  readonly to: string;
  /** Hang up by itself after so many seconds. */
  readonly timeLimitSeconds: number;
}

/** An order to dial that was given, by what a carrier can find it by. */
export interface DialledOrder extends Pick<DialOrder, "from" | "to"> {
  /** When it was given, in milliseconds since the epoch. */
  readonly atMs: number;
}

/** The carrier's truth about a leg. */
export interface LegState {
  readonly state: "queued" | "ringing" | "active" | "ended" | "unknown";
  /** Set when it has ended. */
  readonly reason?: EndReason;
  /** The carrier's own word. */
  readonly carrierStatus: string;
}

/** A recording of a leg that is to be started. */
export interface RecordingOrder {
  readonly legId: string;
  readonly callId: string;
  /** Our id of the recording: the carrier's message about it brings it back. */
  readonly recordingId: string;
}

/** Which recording at the carrier is meant. */
export interface RecordingRef {
  readonly legId: string;
  /** The carrier's id of it. */
  readonly id: string;
}

/** The carrier's truth about a recording. */
export interface CarrierRecording {
  /** The carrier's id. */
  readonly id: string;
  /** `absent`: there is no sound in it. `gone`: the carrier knows nothing of it, or not any more. */
  readonly state: "running" | "paused" | "processing" | "ready" | "absent" | "failed" | "gone" | "unknown";
  /** Sound in it, in milliseconds, as far as the carrier says. */
  readonly durationMs?: number;
  /** The carrier's own word. */
  readonly carrierStatus: string;
}

/** Sound of one leg, both ways, while its media connection lives. */
export interface MediaLeg {
  readonly legId: string;
  readonly streamId: string;
  /** The token that the carrier brought back, if any. */
  readonly token: string | undefined;
  /** Bytes that wait in our socket because the carrier does not take them. */
  readonly bufferedBytes: number;
  /** Plays µ-law audio after what was sent before. */
  sendAudio(audio: Uint8Array): void;
  /** Asks for `marked` once everything sent before has been played. */
  mark(name: string): void;
  /** Throws away what was sent and not yet played. Outstanding marks come back at once. */
  clear(): void;
  /** Has what is sent meanwhile leave in one write, if the socket can. */
  together(sends: () => void): void;
  /** Starts delivery of what the other side sends. Frames that came before wait. */
  listen(listener: MediaListener): void;
  /** Closes the media connection; the leg itself goes on at the carrier's discretion. */
  close(): void;
}

/** Hears a leg. */
export interface MediaListener {
  /** 20 ms of µ-law as base64 text in ASCII bytes, a view that is valid during this call only. */
  audio(base64: Buffer): void;
  marked(name: string): void;
  dtmf(digit: string): void;
  /** The carrier sent what is not understood. It changes nothing, and is to be written down. */
  unrecognised(what: string): void;
  /** Once, last. `stopped` when the carrier said so, `lost` when the connection broke. */
  closed(how: "stopped" | "lost"): void;
}

/** A media socket as our listener accepted it. Structural, so that no socket library shows in the contract. */
export interface MediaSocket {
  readonly bufferedAmount: number;
  send(data: Buffer | string, options: { binary: boolean }): void;
  /** Sends texts in one write, and keeps none of them; absent where the socket cannot. */
  sendAll?(texts: readonly Buffer[]): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): unknown;
  on(event: "close", listener: (code: number) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** How a voice arrives and leaves. One folder implements this for one provider; one instance serves one account. */
export interface Carrier {
  /** First part of the account's webhook paths. */
  readonly name: string;
  readonly capabilities: CarrierCapabilities;
  /** Loads what the first call would otherwise wait for. */
  warmUp(): Promise<void>;
  /** Accepts a webhook or an upgrade as the carrier's own. @throws InvalidSignatureError @throws SecretMissingError */
  verify(request: RawRequest): VerifiedRequest;
  /** Reads an accepted webhook. @throws InvalidRequestError it lacks what such a message must have, or is of another account */
  parse(request: VerifiedRequest): CarrierEvent;
  /** The reply to a waiting leg's webhook. Never empty. */
  answer(answer: Answer): CarrierReply;
  /**
   * Takes over an upgraded socket. Resolves when the carrier has named leg and stream.
   * @throws InvalidRequestError the socket speaks no or broken media protocol, or nothing within 5 s; it is closed then
   */
  openMedia(socket: MediaSocket, signal: AbortSignal): Promise<MediaLeg>;
  /**
   * Starts an outbound leg. Resolves when the carrier has accepted the order, which is not yet ringing:
   * `leg.ringing`, `leg.waiting` or `leg.ended` follow as webhooks.
   * @throws CarrierRefusedError the carrier answered no; nothing was dialled
   * @throws CarrierUnreachableError no answer; whether it dials is unknown, ask `fetchState`
   */
  dial(order: DialOrder, signal: AbortSignal): Promise<string>;
  /** Asks the carrier to end a leg; a leg that is over already is fine. @throws CarrierRefusedError @throws CarrierUnreachableError */
  hangUp(legId: string, signal: AbortSignal): Promise<void>;
  /** Replaces what a live leg hears by a spoken sentence and ends it after that. @throws as hangUp */
  speakAndHangUp(legId: string, text: string, language: string, signal: AbortSignal): Promise<void>;
  /**
   * Replaces what a live leg hears by `answer`: its media is stopped, or what the carrier says meanwhile is cut short.
   * Resolves with whether the leg took it; false: it is over, not answered yet, or unknown, and nothing was changed.
   * @throws as hangUp
   */
  redirect(legId: string, answer: Answer, signal: AbortSignal): Promise<boolean>;
  /** Asks what became of a leg. @throws CarrierUnreachableError */
  fetchState(legId: string, signal: AbortSignal): Promise<LegState>;
  /**
   * Looks for the leg that an order to dial made whose answer never came. `undefined`: there is none, or several may be
   * it. @throws CarrierUnreachableError
   */
  findDialled(order: DialledOrder, signal: AbortSignal): Promise<string | undefined>;
  /**
   * Has the carrier record a live leg from now on, until it is stopped or the leg ends: the person on the left channel,
   * what they hear on the right. Resolves with the carrier's id of it; `recording.reported` follows when it is whole.
   * @throws CarrierRefusedError nothing is recorded @throws CarrierUnreachableError whether it records is unknown, ask `findRecordings`
   */
  startRecording(order: RecordingOrder, signal: AbortSignal): Promise<string>;
  /** Puts silence into a recording in place of what is said from now on. @throws CarrierRefusedError it does not run @throws CarrierUnreachableError */
  pauseRecording(recording: RecordingRef, signal: AbortSignal): Promise<void>;
  /** Goes on with a paused recording. @throws as pauseRecording */
  resumeRecording(recording: RecordingRef, signal: AbortSignal): Promise<void>;
  /** Ends a recording while its leg lives; one that is over or gone is fine. @throws CarrierRefusedError @throws CarrierUnreachableError */
  stopRecording(recording: RecordingRef, signal: AbortSignal): Promise<void>;
  /** The recordings of a leg that `startRecording` began and that are still at the carrier. @throws CarrierUnreachableError */
  findRecordings(legId: string, signal: AbortSignal): Promise<readonly CarrierRecording[]>;
  /** Asks what became of a recording. @throws CarrierUnreachableError */
  fetchRecordingState(recording: RecordingRef, signal: AbortSignal): Promise<CarrierRecording>;
  /**
   * Opens the sound of a recording that is ready, as a WAV file. Reading fails when the carrier pauses for 30 s or sends
   * more than 1 GiB. @throws CarrierRefusedError there is none @throws CarrierUnreachableError
   */
  fetchRecording(recording: RecordingRef, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Deletes a recording and its sound at the carrier; one that is gone is fine. @throws CarrierRefusedError @throws CarrierUnreachableError */
  deleteRecording(recording: RecordingRef, signal: AbortSignal): Promise<void>;
  /** Checks that the carrier can be reached with the account's credentials. @throws VoiceError */
  probe(signal: AbortSignal): Promise<void>;
}
