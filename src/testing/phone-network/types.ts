import type { Clock } from "../../core/clock.ts";
import type { Speaker, Voice } from "../voice.ts";
import type { Faults } from "./faults.ts";

export type { Speaker, Voice } from "../voice.ts";

/** `CallStatus` as Twilio spells it. The last five are final. */
export type TwilioStatus =
  | "queued"
  | "initiated"
  | "ringing"
  | "in-progress"
  | "completed"
  | "busy"
  | "failed"
  | "no-answer"
  | "canceled";

/** `AnsweredBy` as Twilio's machine detection reports it. */
export type AnsweredBy =
  | "human"
  | "machine_start"
  | "machine_end_beep"
  | "machine_end_silence"
  | "machine_end_other"
  | "fax"
  | "unknown";

/** `StirVerstat` as Twilio spells it: the STIR/SHAKEN check of a caller's number, and the level that was claimed. */
export type StirVerstat =
  | `TN-Validation-${"Passed" | "Failed"}-${"A" | "B" | "C"}${"" | "-Diverted" | "-Passthrough"}`
  | "TN-Validation-Failed"
  | "No-TN-Validation";

/** What a person does on the phone, from the moment the call is answered. When it returns, the person hangs up. */
export type PersonScript = (line: Line) => Promise<void>;

/** How a person sounds and behaves on a call. */
export interface PersonOptions {
  /** Default: says nothing and waits for the other side to hang up. */
  script?: PersonScript;
  /** The person's voice; default "rms". */
  speaker?: Speaker;
  /** 8 kHz samples repeated for the whole call under what the person says: room tone, babble, line noise. */
  background?: Int16Array;
}

/** What happens when a person's phone is rung by an outbound call. */
export interface CalleeOptions extends PersonOptions {
  /** Default "answer". "invalid" and "failed" never ring; "reject" is declined by hand and reported as busy. */
  outcome?: "answer" | "busy" | "no-answer" | "reject" | "invalid" | "failed";
  /** Milliseconds of ringing before the outcome, default 1,000. "no-answer" ends at the call's own timeout instead. */
  answerAfterMs?: number;
  /** What machine detection says when the call asks for it, default "human". */
  answeredBy?: AnsweredBy;
}

/** A number of the account and where Twilio is told to ask for instructions. */
export interface NumberOptions {
  voiceUrl: string;
  /** Default "POST". */
  voiceMethod?: "GET" | "POST";
  /** Asked when `voiceUrl` fails. */
  fallbackUrl?: string;
  /** Told when an inbound call has ended. */
  statusCallback?: string;
}

/** Settings of {@link startPhoneNetwork}. */
export interface PhoneNetworkOptions {
  /** Default: `systemClock({ speed })`. */
  clock?: Clock;
  /** Only used without `clock`: with 10, a frame of 20 ms leaves every 2 real milliseconds. */
  speed?: number;
  voice: Voice;
  /** Made up when left out. */
  accountSid?: string;
  /** Basic-auth password of the REST API and HMAC key of every webhook; made up when left out. */
  authToken?: string;
  /** Public base URL -> loopback base URL. Requests are signed as public and delivered to loopback, as a tunnel does. */
  routes?: Record<string, string>;
  faults?: Faults;
  /** Default 127.0.0.1. */
  host?: string;
  /** Default: any free port. */
  port?: number;
}

/** A running phone network. */
export interface PhoneNetwork {
  /** Base URL of the REST API: `POST {url}/2010-04-01/Accounts/{AC}/Calls.json`. */
  readonly url: string;
  readonly accountSid: string;
  readonly authToken: string;
  /** The live faults: change a hook and the next request, callback or frame meets it. */
  readonly faults: Faults;
  /** Gives the account a number (E.164). */
  addNumber(e164: string, options: NumberOptions): void;
  /** Puts a phone (E.164) into the world that outbound calls can ring. Numbers never added are not in service. */
  addPerson(e164: string, options?: CalleeOptions): void;
  /** A person rings one of the account's numbers. `extra` adds or overrides webhook parameters. */
  ring(order: RingOrder): PhoneCall;
  /** Every call so far, in the order they began. */
  readonly calls: readonly PhoneCall[];
  /** Every recording that was not deleted, in the order they began. */
  readonly recordings: readonly PhoneRecording[];
  /** Resolves with the first call, past or future, that `matches`; rejects when the network stops first. */
  nextCall(matches?: (call: PhoneCall) => boolean): Promise<PhoneCall>;
  /** Cuts every call and closes everything. Idempotent. */
  stop(): Promise<void>;
}

/** An inbound call to place. */
export interface RingOrder extends PersonOptions {
  from: string;
  to: string;
  /** What the network's check of the caller's number came to, default "TN-Validation-Passed-A"; null: it is unsigned. */
  stirVerstat?: StirVerstat | null;
  extra?: Record<string, string>;
}

/** `RecordingStatus` as Twilio spells it. */
export type RecordingStatus = "in-progress" | "paused" | "processing" | "completed" | "absent" | "failed";

/** One recording as the network keeps it; a deleted one is not there any more. */
export interface PhoneRecording {
  readonly sid: string;
  readonly callSid: string;
  readonly status: RecordingStatus;
  /** Sound in it so far. */
  readonly durationMs: number;
}

/** One call as the network sees it. */
export interface PhoneCall {
  readonly sid: string;
  readonly direction: "inbound" | "outbound-api";
  readonly from: string;
  readonly to: string;
  readonly status: TwilioStatus;
  /** The media stream that is open now, with the faults one can do to it. */
  readonly stream: StreamHandle | undefined;
  /** The person's side of the call. */
  readonly line: Line;
  /** Webhooks sent so far, answered or not. */
  readonly requests: readonly WebhookRecord[];
  /** Resolves once the media stream stands open; rejects when the call ends without one. */
  streaming(): Promise<StreamHandle>;
  /**
   * Resolves when the call is over and its webhooks have been answered, but for those a fault holds back.
   * Rejects with the script's own error when the person's script failed for another reason than the call's end.
   */
  readonly ended: Promise<CallReport>;
  /** The person hangs up, or gives up ringing. */
  hangUp(): void;
}

/** A live media stream, and what a bad network can do to it. */
export interface StreamHandle {
  readonly sid: string;
  /** Resets the TCP connection (RST), as a dying proxy does. The call goes on after `<Connect>`. */
  reset(): void;
  /** Stops reading and sending without closing: the other side sees an open socket and nothing more. */
  freeze(): void;
  /** Ends a freeze; frames of the meantime are lost. */
  thaw(): void;
  /** Sends one text frame as it is, for what Twilio never sends. */
  sendText(text: string): void;
}

/** What a person at a phone can do and hear. Times are milliseconds of the network's clock. */
export interface Line {
  /** Speaks; resolves when the last sample has left. Several at once are spoken one after another. */
  say(text: string): Promise<void>;
  /** As {@link say}, with 8 kHz samples of one's own. */
  play(samples: Int16Array): Promise<void>;
  /**
   * Presses keys (0-9 * # A-D). Each is a `dtmf` event of the stream; `tones` also puts 100 ms of the real
   * tone into the audio. `gapMs` from one key to the next, default 200.
   */
  press(digits: string, options?: { gapMs?: number; tones?: boolean }): Promise<void>;
  pause(ms: number): Promise<void>;
  /** Resolves when the other side is audible, as played out at this phone. Timeout default 20,000. */
  waitForSpeech(options?: { timeoutMs?: number }): Promise<void>;
  /** Resolves when the other side has been silent for `ms` (default 700). Timeout default 60,000. */
  waitForQuiet(ms?: number, options?: { timeoutMs?: number }): Promise<void>;
  /** {@link waitForSpeech}, then {@link waitForQuiet}; the timeout holds for each of the two. */
  hearReply(options?: { quietMs?: number; timeoutMs?: number }): Promise<void>;
  /** Stays on the line until the call has ended. */
  waitForEnd(): Promise<void>;
  hangUp(): void;
  /** Aborted when the call has ended; whatever the script still waits for then rejects. */
  readonly signal: AbortSignal;
  /** Since answer, in steps of one frame. */
  readonly nowMs: number;
}

/** Everything about a call that has ended. Times count from answer, unless they say otherwise. */
export interface CallReport {
  readonly sid: string;
  readonly from: string;
  readonly to: string;
  /** A final status. */
  readonly status: TwilioStatus;
  /** Answer to end; 0 when never answered. */
  readonly durationMs: number;
  /** Stereo, 8 kHz, 16 bit: left what the person spoke, right what the person heard as played out. */
  readonly wav: Buffer;
  readonly spoken: readonly Spoken[];
  /** Where the right channel is above −45 dBFS (RMS per 20 ms), gaps under 200 ms merged. */
  readonly heardSegments: readonly Segment[];
  /** Each TwiML document executed, in order. */
  readonly twiml: readonly string[];
  readonly requests: readonly WebhookRecord[];
  readonly streamEvents: StreamLog;
  /** What Twilio's debugger would note. */
  readonly errors: readonly TwilioError[];
}

/** Something the person said or played; `text` is empty for samples. */
export interface Spoken extends Segment {
  readonly text: string;
}

export interface Segment {
  readonly startMs: number;
  readonly endMs: number;
}

/** A webhook we sent and its answer. */
export interface WebhookRecord {
  readonly kind: WebhookKind;
  /** The public URL, as signed. */
  readonly url: string;
  readonly params: Readonly<Record<string, string>>;
  /** HTTP status of the answer; 0 while there is none (lost, late, unreachable). */
  readonly status: number;
  readonly body: string;
}

export type WebhookKind =
  | "voice"
  | "fallback"
  | "redirect"
  | "action"
  | "status"
  | "stream-status"
  | "amd"
  | "play"
  | "recording";

/** What the application sent over the call's media streams. */
export interface StreamLog {
  readonly streams: number;
  readonly media: number;
  /** Bytes of µ-law in those media messages. */
  readonly mediaBytes: number;
  readonly marks: number;
  readonly clears: number;
  readonly malformed: number;
  /** Each message, without payloads, at its time of arrival. */
  readonly log: readonly StreamLogEntry[];
}

export interface StreamLogEntry {
  readonly atMs: number;
  readonly event: "open" | "media" | "mark" | "clear" | "malformed" | "close";
  /** Bytes for media, the name for a mark, the reason for malformed and close. */
  readonly detail: string;
}

export interface TwilioError {
  readonly code: number;
  readonly message: string;
}
