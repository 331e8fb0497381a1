import type { ErasureOrder, ErasureReceipt } from "../calls/erasure.ts";
import type { HealthReport } from "../calls/health/report.ts";
import type { NumberLink, UnlinkOrder } from "../calls/links.ts";
import type { CarrierReply, MediaSocket, RawRequest } from "../carriers/carrier.ts";
import type { Call, CallSummary } from "../core/call.ts";
import type { JournalEntry } from "../core/events.ts";
import type { TranscriptDocument, TranscriptFormat } from "../core/transcript-export.ts";
import type { HostFinding } from "../hosts/host.ts";
import type { CallQuery, SearchPage, SearchQuery } from "../stores/store.ts";

/** An outbound call that somebody asks for. */
export interface PlaceCallRequest {
  /** Whom to ring, E.164. */
  readonly to: string;
  /** What is said first, word for word, once they answer. */
  readonly message?: string;
  /** Which of the account's numbers shows; its main number unless told. */
  readonly from?: string;
  /** Which account rings; the default account unless told. */
  readonly accountId?: string;
  /** Why the call is made; the model is told. */
  readonly purpose?: string;
  /** The conversation that the call goes on with, as the host's key of its session; the model is told what was said. */
  readonly continues?: string;
  /** The same id places the same call once, however often it is asked for. */
  readonly requestId?: string;
}

/** A call with everything that is known of it. */
export interface CallDetails extends CallSummary {
  readonly transcript: Call["transcript"];
  readonly usage: Call["usage"];
  /** Whether it may be recorded, once that is known. */
  readonly consent?: Call["consent"];
  readonly recordings: Call["recordings"];
}

/** The sound of a call, a WAV file, to be read once. */
export interface RecordingSound {
  readonly bytes: number;
  readonly sound: AsyncIterable<Uint8Array>;
}

/** The result of asking for a call's end. */
export interface EndedCall {
  readonly call: CallSummary;
  /** Whether the carrier has confirmed that the leg is over. */
  readonly confirmed: boolean;
}

/** Keys that were sent on a call. */
export interface SentDigits {
  readonly callId: string;
  readonly digits: string;
}

/** One account as `status` shows it. */
export interface AccountStatus {
  readonly accountId: string;
  readonly state: "running" | "stopped" | "misconfigured" | "secret_missing";
  readonly number?: string;
  readonly liveCalls: number;
  /** What is wrong and what to do, when it does not run. */
  readonly problem?: string;
}

/** What `status` shows. */
export interface StatusReport {
  readonly running: boolean;
  readonly version: string;
  /** Where our listener is, when it is open. */
  readonly listening?: { readonly host: string; readonly port: number };
  readonly publicUrl: string;
  readonly liveCalls: number;
  readonly accounts: readonly AccountStatus[];
  /** What the settings of the accounts that run mean with this host. */
  readonly settings: readonly Finding[];
  readonly host: readonly HostFinding[];
  /** How what calls depend on is doing; absent where it is not watched. */
  readonly health?: HealthReport;
}

/** One finding of `doctor`. */
export interface Finding extends HostFinding {
  readonly accountId?: string;
}

/** What operators and agents may do with calls: behind the API's token, the CLI, and the agent tool. */
export interface CallDesk {
  status(): Promise<StatusReport>;
  /** Checks everything that can be checked without a call. */
  doctor(): Promise<readonly Finding[]>;
  /** Resolves once the carrier has accepted the order. @throws VoiceError nothing was dialled, unless it is `carrier_unreachable` */
  placeCall(request: PlaceCallRequest): Promise<CallSummary>;
  /** Resolves once the carrier confirms, or unconfirmed after 5 s. @throws CallNotFoundError */
  endCall(callId: string): Promise<EndedCall>;
  /** Says a text word for word on a live call. @throws CallNotFoundError @throws CallOverError */
  say(callId: string, text: string): Promise<CallSummary>;
  /**
   * Sends keys on a live call as tones: 0-9, `*`, `#`, A-D, with `w` or `,` for pauses of 500 ms, 32 at most, each for
   * 50 to 500 ms (160 unless told). Resolves once the tones are on the media path.
   * @throws InvalidRequestError they are no keys, or the call's carrier cannot send any; nothing was sent
   * @throws CallNotFoundError @throws CallOverError
   */
  sendDigits(callId: string, digits: string, options?: { readonly durationMs?: number }): Promise<SentDigits>;
  /**
   * Gives the model a standing instruction in the middle of a call, without cutting what is said. With `respond` it
   * acts on it at once, when nobody speaks; else from its next answer on. @throws CallNotFoundError @throws CallOverError
   */
  instruct(callId: string, text: string, options?: { readonly respond?: boolean }): Promise<CallSummary>;
  /**
   * Pauses the recording of a live call, as while a card's number is said, or goes on with it. In the recording silence
   * stands in place of the pause.
   * @throws InvalidRequestError the call is not recorded now @throws CallNotFoundError @throws CallOverError
   */
  pauseRecording(callId: string, paused: boolean): Promise<CallDetails>;
  /** @throws CallNotFoundError */
  call(callId: string): Promise<CallDetails>;
  /** The words of a call so far, as a document. @throws CallNotFoundError */
  transcriptOf(callId: string, format: TranscriptFormat): Promise<TranscriptDocument>;
  /** The sound of a call, as far as it was kept; `undefined` when nothing of it is there. @throws CallNotFoundError */
  recordingOf(callId: string): Promise<RecordingSound | undefined>;
  calls(query?: CallQuery): Promise<{ calls: readonly CallSummary[]; next?: string }>;
  /** Finds turns of calls, past and present, by their words. @throws InvalidRequestError */
  search(query: SearchQuery): Promise<SearchPage>;
  /**
   * Erases everything that is kept of a person. Resolves when nothing is left, with what is outside our hands.
   * @throws NotAllowedError a call with the number is not over and done with; nothing was erased
   * @throws StoreError @throws HostError what is left is erased by asking again, or after the next start
   */
  erase(order: ErasureOrder): Promise<ErasureReceipt>;
  /** Whose number is whose, as the owner has said it; of every account unless told. @throws StoreError */
  links(accountId?: string): Promise<readonly NumberLink[]>;
  /**
   * Takes back what the owner has said of a number: its next calls are nobody's by name, and the owner is not asked about
   * it again. Resolves with the links that were there. @throws InvalidNumberError @throws StoreError
   */
  unlink(order: UnlinkOrder): Promise<readonly NumberLink[]>;
  /** Past and present journal of a call, each entry once it is durable; ends with the call or the signal. @throws CallNotFoundError */
  follow(callId: string, afterSeq: number, signal: AbortSignal): AsyncIterable<JournalEntry>;
}

/** What carriers and engine providers may do: each request is verified before anything is believed. */
export interface WebhookDesk {
  /** A carrier's webhook. @throws AccountUnavailableError @throws InvalidSignatureError @throws SecretMissingError @throws InvalidRequestError */
  carrierWebhook(carrier: string, accountId: string, request: RawRequest): Promise<CarrierReply>;
  /** Verifies a media upgrade before the socket is accepted. @throws as carrierWebhook */
  verifyMedia(carrier: string, accountId: string, request: RawRequest): void;
  /** Takes over an accepted media socket; closes it when it does not belong to a call. Never rejects. */
  acceptMedia(accountId: string, socket: MediaSocket): Promise<void>;
  /** A message of an engine's provider; each account's secret is tried. @throws InvalidSignatureError none fits */
  engineWebhook(body: string, headers: RawRequest["headers"]): Promise<void>;
}
