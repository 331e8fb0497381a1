import { randomUUID } from "node:crypto";
import type { Account } from "../calls/account.ts";
import type { CallSound } from "../calls/conversation-parts.ts";
import type { CallJournal, Unstamped } from "../calls/journal.ts";
import type { LiveCall } from "../calls/live-calls.ts";
import { type RecordingReport, RecordingsAtCarrier } from "../calls/recording-at-carrier.ts";
import { type OpenRecording, Recordings } from "../calls/recordings.ts";
import type { Ticker } from "../calls/ticker.ts";
import type { Call } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { InvalidRequestError } from "../core/errors.ts";
import type { Logger } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";
import type { AccountBook } from "./accounts.ts";

export interface RecordersParts {
  readonly stateDir: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly ticker: Pick<Ticker, "add">;
  readonly logger: Logger;
  readonly accounts: AccountBook;
  /** Appends to the journal of a call, live or over; durable when it resolves. */
  readonly write: (callId: string, ...events: Unstamped[]) => Promise<void>;
  /** Aborted when the channel stops. */
  readonly stopping: AbortSignal;
}

/** Whoever keeps the sound of calls: this process, or the carrier for us. */
export class Recorders {
  readonly #own: Recordings;
  readonly #atCarrier: RecordingsAtCarrier;

  constructor(parts: RecordersParts) {
    const { accounts, stopping: signal } = parts;
    const newId = () => `rec_${randomUUID().replaceAll("-", "")}`;
    const settingsOf = (accountId: string) => accounts.find(accountId)?.recording;
    this.#own = new Recordings({ ...parts, newId, settingsOf });
    this.#atCarrier = new RecordingsAtCarrier({
      ...parts,
      newId,
      signal,
      shelfOf: (accountId) => (settingsOf(accountId) ? this.#own.shelf(accountId) : undefined),
      carrierOf: (accountId) => accounts.find(accountId)?.carrier,
    });
  }

  /** Keeps the sound of a call, once it may; nothing for an account that never records. */
  of({ recording }: Account, journal: CallJournal, live: () => LiveCall): CallSound | undefined {
    if (!recording || ![recording.mode, ...Object.values(recording.byPrefix)].some((mode) => mode !== "off")) {
      return undefined;
    }
    return this.#own.of(journal, recording, () => this.#atCarrier.begin(live()));
  }

  /** The carrier's message about a recording. @throws StoreError */
  reported(account: Account, report: RecordingReport): Promise<void> {
    return this.#atCarrier.reported(account, report);
  }

  /** Puts silence in place of what is said from now on. @throws InvalidRequestError nothing is recorded @throws VoiceError it goes on */
  async pause(live: LiveCall): Promise<void> {
    if (this.#own.live(live.id)?.pause()) return;
    requireRecorded(live.journal.call);
    await this.#atCarrier.pause(live);
  }

  /** Goes on with what was paused. @throws InvalidRequestError nothing is recorded @throws VoiceError nothing is kept yet */
  async resume(live: LiveCall): Promise<void> {
    if (this.#own.live(live.id)?.resume()) return;
    requireRecorded(live.journal.call);
    await this.#atCarrier.resume(live);
  }

  /** A call is over. Never rejects. */
  async ended(call: Call): Promise<void> {
    this.#atCarrier.ended(call);
    await this.#own.ended(call);
  }

  /** Takes up what an earlier process left of an account. @throws StoreError */
  async takeUp(accountId: string): Promise<void> {
    await Promise.all([this.#own.takeUp(accountId), this.#atCarrier.takeUp(accountId)]);
  }

  /** The sound of a call. @throws VoiceError nothing of it was kept, or it cannot be read */
  open(callId: string): Promise<OpenRecording> {
    return this.#own.open(callId);
  }

  /** Removes what was kept of a call's sound. @throws StoreError */
  deleteFilesOf(callId: string): Promise<number> {
    return this.#own.deleteFilesOf(callId);
  }

  /** Ends what is kept of calls that go on elsewhere. */
  async stop(): Promise<void> {
    await Promise.all([this.#own.stop(), this.#atCarrier.settled()]);
  }
}

// --- Internal helpers ---

function requireRecorded({ recordings }: Call): void {
  if (recordings.some(({ state }) => state === "running" || state === "paused")) return;
  throw new InvalidRequestError("callId", "is a call that is not recorded now");
}
