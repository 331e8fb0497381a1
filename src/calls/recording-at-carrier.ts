import type { Carrier, CarrierEvent, CarrierRecording, RecordingRef } from "../carriers/carrier.ts";
import type { Call, CallRecording } from "../core/call.ts";
import { type Clock, sleep } from "../core/clock.ts";
import {
  CallOverError,
  CarrierRefusedError,
  CarrierUnreachableError,
  NotAllowedError,
  StoreError,
} from "../core/errors.ts";
import type { Logger } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";
import type { Account } from "./account.ts";
import type { Unstamped } from "./journal.ts";
import type { LiveCall } from "./live-calls.ts";
import { CarrierBook, type Held, type Outcome } from "./recording/carrier-book.ts";

/** Where recordings stay once they are whole. */
export interface RecordingShelf {
  /** Whether what is put there is encrypted. */
  readonly encrypted: boolean;
  /**
   * Keeps a sound, a WAV file. Nothing of it is there unless this resolves; the same recording again replaces what was
   * there before.
   */
  put(
    recording: { readonly callId: string; readonly recordingId: string },
    sound: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<{ readonly location: string; readonly bytes: number }>;
  /** Removes what was put; what is not there is fine. */
  remove(recording: { readonly callId: string; readonly recordingId: string }, signal: AbortSignal): Promise<void>;
}

export interface RecordingsAtCarrierParts {
  readonly store: Pick<Store, "call" | "document" | "documents" | "keep">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where an account's recordings stay; `undefined` for one that does not run. */
  readonly shelfOf: (accountId: string) => RecordingShelf | undefined;
  /** Makes our id of a recording. */
  readonly newId: () => string;
  readonly carrierOf: (accountId: string) => Carrier | undefined;
  /** Appends to the journal of a call, live or over; durable when it resolves. */
  readonly write: (callId: string, ...events: Unstamped[]) => Promise<void>;
  /** Aborted when the process stops: what is not done then is taken up after the next start. */
  readonly signal: AbortSignal;
}

/** The carrier's message about a recording. */
export type RecordingReport = Extract<CarrierEvent, { type: "recording.reported" }>;

/** Waits between looks at a recording and between attempts; the last one is kept to. */
const LOOK_AFTER_MS = [1_000, 5_000, 30_000, 120_000, 600_000];

/**
 * Recordings that the carrier makes for us. Each is begun after consent; when it is whole its sound comes to our own
 * shelf, and the carrier's copy is deleted. A document holds each until the carrier has nothing of it any more, and the
 * journal says what is done: every step is done once, whenever the process is killed.
 */
export class RecordingsAtCarrier {
  readonly #parts: RecordingsAtCarrierParts;
  readonly #book: CarrierBook;
  readonly #beginning = new Map<string, Promise<string>>();
  readonly #tending = new Map<string, Promise<void>>();
  /** Wakes whoever waits to look at a recording again. */
  readonly #naps = new Map<string, AbortController>();

  constructor(parts: RecordingsAtCarrierParts) {
    this.#parts = parts;
    this.#book = new CarrierBook(parts.store);
  }

  /**
   * Has the carrier record a live call from now on; a call that it records already goes on. Resolves with our id of the
   * recording, also when the carrier has not answered: the journal says later whether there is one.
   * @throws NotAllowedError it is not known that the call may be recorded, or the carrier makes no recordings
   * @throws CallOverError @throws CarrierRefusedError @throws StoreError
   */
  begin(live: Pick<LiveCall, "id" | "legId" | "account" | "journal">): Promise<string> {
    const beginning = this.#beginning.get(live.id) ?? this.#begin(live).finally(() => this.#beginning.delete(live.id));
    this.#beginning.set(live.id, beginning);
    return beginning;
  }

  /** Puts silence in place of what is said, as for a card's number; without a recording there is nothing to do. @throws VoiceError the sound goes on being kept */
  async pause(live: Pick<LiveCall, "account" | "journal">): Promise<void> {
    const running = findRunning(live.journal.call, "running");
    if (!running) return;
    await live.account.carrier.pauseRecording(await this.#ref(running.id), this.#parts.signal);
    await live.journal.write({ type: "recording.paused", recordingId: running.id });
  }

  /** Goes on with what was paused. @throws VoiceError nothing is kept yet */
  async resume(live: Pick<LiveCall, "account" | "journal">): Promise<void> {
    const paused = findRunning(live.journal.call, "paused");
    if (!paused) return;
    await live.account.carrier.resumeRecording(await this.#ref(paused.id), this.#parts.signal);
    await live.journal.write({ type: "recording.resumed", recordingId: paused.id });
  }

  /** Takes the carrier's message; durable when it resolves, so that the webhook may be acknowledged. @throws StoreError */
  async reported(account: Account, report: RecordingReport): Promise<void> {
    const { legId, callId, recordingId, recording } = report;
    const outcome = asOutcome(recording);
    if (!outcome) return;
    const { logger } = this.#parts;
    const known = await this.#book.change(recordingId, (held) => {
      if (held.accountId !== account.id || held.legId !== legId) return held;
      return { ...held, carrierId: recording.id, outcome };
    });
    if (!known && !(await this.#takeBack(account, report, outcome))) {
      logger.info("A recording of which nothing is wanted is deleted at the carrier.", { callId, recordingId });
      await account.carrier.deleteRecording({ legId, id: recording.id }, this.#parts.signal);
      return;
    }
    this.#wake(recordingId);
  }

  /** A call is over: its recordings are fetched, also when the carrier's message about them is lost. */
  ended({ recordings }: Pick<Call, "recordings">): void {
    for (const { id, by } of recordings) if (by === "carrier") this.#wake(id);
  }

  /** Takes up what an earlier process left of an account. @throws StoreError */
  async takeUp(accountId: string): Promise<void> {
    for (const { id, held } of await this.#book.all()) {
      if (held.accountId === accountId && !this.#beginning.has(held.callId)) void this.#tend(id);
    }
  }

  /** Resolves when nothing is under way any more; to be waited for after the signal was aborted. */
  async settled(): Promise<void> {
    await Promise.all(this.#tending.values());
  }

  async #begin({ id: callId, legId, account, journal }: Pick<LiveCall, "id" | "legId" | "account" | "journal">) {
    const { shelfOf, newId, write } = this.#parts;
    const { carrier } = account;
    const shelf = shelfOf(account.id);
    if (!shelf) throw new NotAllowedError("There is no place for recordings of the call's account.");
    if (!carrier.capabilities.records) throw new NotAllowedError("The call's carrier makes no recordings.");
    if (!journal.call.consent?.ok) throw new NotAllowedError("It is not known that the call may be recorded.");
    if (legId === undefined) throw new CallOverError(callId, "be recorded");
    const running = findRunning(journal.call, "running") ?? findRunning(journal.call, "paused");
    if (running) return running.id;
    const recordingId = newId();
    const held: Held = { callId, accountId: account.id, legId };
    await this.#book.add(recordingId, held);
    try {
      await write(callId, { type: "recording.started", recordingId, by: "carrier", encrypted: shelf.encrypted });
    } catch (error) {
      void this.#tend(recordingId);
      throw error;
    }
    try {
      await this.#order(carrier, recordingId, held);
    } catch (error) {
      void this.#tend(recordingId);
      // Without an answer, or a note of it, it is not known whether it records: the carrier is asked, and told again if not.
      if (!(error instanceof CarrierUnreachableError) && !(error instanceof StoreError)) throw error;
    }
    return recordingId;
  }

  /** A message about a recording that is not held: the journal may know it, because an order was answered too late. */
  async #takeBack(
    account: Account,
    { legId, callId, recordingId, recording }: RecordingReport,
    outcome: Outcome,
  ): Promise<boolean> {
    const { store } = this.#parts;
    const call = callId === undefined ? undefined : await store.call(callId);
    const known = call?.recordings.find(({ id, by }) => id === recordingId && by === "carrier");
    if (!call || call.accountId !== account.id || !known || isKept(known)) return false;
    const held: Held = { callId: call.id, accountId: account.id, legId, carrierId: recording.id, outcome };
    await this.#book.add(recordingId, held);
    return true;
  }

  /** Does what is to be done of a recording, again and again until nothing is left or only the call's end. Never rejects. */
  #tend(recordingId: string): Promise<void> {
    const tending =
      this.#tending.get(recordingId) ??
      this.#keepOn(recordingId).finally(() => {
        this.#tending.delete(recordingId);
        this.#naps.delete(recordingId);
      });
    this.#tending.set(recordingId, tending);
    return tending;
  }

  /** There is news of a recording: whoever tends it looks at once, and once more when it has just looked. */
  #wake(recordingId: string): void {
    const tending = this.#tending.get(recordingId);
    this.#naps.get(recordingId)?.abort();
    void (tending ? tending.then(() => this.#tend(recordingId)) : this.#tend(recordingId));
  }

  async #keepOn(recordingId: string): Promise<void> {
    const { clock, logger, signal } = this.#parts;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const nap = new AbortController();
      this.#naps.set(recordingId, nap); // news that come while this works are not slept over
      try {
        if ((await this.#advance(recordingId)) && !nap.signal.aborted) return;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn("A recording at the carrier could not be taken care of yet.", {
          recordingId,
          error: String(error),
        });
      }
      const waitMs = LOOK_AFTER_MS[Math.min(attempt, LOOK_AFTER_MS.length - 1)] as number;
      await sleep(clock, waitMs, AbortSignal.any([signal, nap.signal])).catch(() => {}); // there is news, or an end
    }
  }

  /** One look and what follows from it. Resolves with whether nothing is left to do by itself. */
  async #advance(recordingId: string): Promise<boolean> {
    const { store, carrierOf, shelfOf } = this.#parts;
    const held = await this.#book.get(recordingId);
    if (!held) return true;
    const carrier = carrierOf(held.accountId);
    const shelf = shelfOf(held.accountId);
    if (!carrier || !shelf) return true; // its account is gone; when it is back, so is this
    const call = await store.call(held.callId);
    const recording = call?.recordings.find(({ id }) => id === recordingId);
    if (!call || !recording) {
      // Its call was erased, perhaps while its sound was on its way, or it was never begun.
      await shelf.remove({ callId: held.callId, recordingId }, this.#parts.signal);
      await this.#release(carrier, recordingId, held);
      return true;
    }
    const outcome = held.outcome ?? (await this.#findOutcome(carrier, recordingId, held, call, recording));
    if (!outcome) return call.state !== "ended" && !isStopped(recording);
    if (!isKept(recording)) await this.#keep({ carrier, shelf }, recordingId, held, recording, outcome);
    await this.#release(carrier, recordingId, held);
    return true;
  }

  /** What became of a recording of which the carrier has said nothing; `undefined` while it runs or is worked on. */
  async #findOutcome(
    carrier: Carrier,
    recordingId: string,
    held: Held,
    call: Pick<Call, "state">,
    recording: CallRecording,
  ): Promise<Outcome | undefined> {
    const { signal } = this.#parts;
    const { legId } = held;
    const isOver = call.state === "ended" || isStopped(recording);
    const known = held.carrierId ?? (await this.#adopt(carrier, recordingId, held));
    if (known === undefined && !isOver && recording.state === "running") {
      await this.#order(carrier, recordingId, held);
      return undefined;
    }
    if (known === undefined) return { state: "failed", durationMs: 0, carrierStatus: "never begun" };
    if (!isOver) return undefined;
    const found = await carrier.fetchRecordingState({ legId, id: known }, signal);
    if (found.state === "running" || found.state === "paused") {
      await carrier.stopRecording({ legId, id: known }, signal);
    }
    const outcome = asOutcome(found);
    if (outcome) await this.#book.change(recordingId, (latest) => ({ ...latest, outcome }));
    return outcome;
  }

  /**
   * Has the carrier begin a recording. @throws CarrierUnreachableError @throws StoreError whether it records is not known
   * @throws VoiceError it does not, and that is noted
   */
  async #order(carrier: Carrier, recordingId: string, { legId, callId }: Held): Promise<void> {
    let carrierId: string;
    try {
      carrierId = await carrier.startRecording({ legId, callId, recordingId }, this.#parts.signal);
    } catch (error) {
      const outcome: Outcome = { state: "failed", durationMs: 0, carrierStatus: String(error) };
      if (!(error instanceof CarrierUnreachableError)) {
        await this.#book.change(recordingId, (held) => ({ ...held, outcome }));
      }
      throw error;
    }
    await this.#book.change(recordingId, (held) => ({ ...held, carrierId }));
  }

  /** The carrier's id of a recording whose order was not answered; `undefined` when it was not carried out. */
  async #adopt(carrier: Carrier, recordingId: string, { legId }: Held): Promise<string | undefined> {
    const { signal } = this.#parts;
    const found = await carrier.findRecordings(legId, signal);
    const others = (await this.#book.all()).filter((other) => other.id !== recordingId);
    const taken = new Set(others.map((other) => other.held.carrierId));
    const own = found.find(({ id }) => !taken.has(id));
    if (own) await this.#book.change(recordingId, (held) => ({ ...held, carrierId: own.id }));
    return own?.id;
  }

  /** Brings the sound to our shelf, or writes down that there is none. */
  async #keep(
    { carrier, shelf }: { readonly carrier: Carrier; readonly shelf: RecordingShelf },
    recordingId: string,
    held: Held,
    recording: CallRecording,
    outcome: Outcome,
  ): Promise<void> {
    const { write, signal } = this.#parts;
    const { callId, legId } = held;
    const { durationMs } = outcome;
    const id = held.carrierId ?? (await this.#book.get(recordingId))?.carrierId;
    const stopped: Unstamped[] = isStopped(recording) ? [] : [{ type: "recording.stopped", recordingId, durationMs }];
    if (outcome.state !== "ready" || id === undefined) {
      if (recording.state === "failed") return;
      const message = `The carrier has no sound of the call: ${outcome.carrierStatus}.`;
      return write(callId, ...stopped, { type: "recording.failed", recordingId, message });
    }
    try {
      const sound = await carrier.fetchRecording({ legId, id }, signal);
      const { location, bytes } = await shelf.put({ callId, recordingId }, sound, signal);
      await write(callId, ...stopped, { type: "recording.stored", recordingId, location, bytes, durationMs });
    } catch (error) {
      if (!(error instanceof CarrierRefusedError)) throw error;
      const found = await carrier.fetchRecordingState({ legId, id }, signal);
      if (found.state !== "gone") throw error;
      await write(callId, ...stopped, { type: "recording.failed", recordingId, message: error.message });
    }
  }

  /** Has the carrier forget a recording, and forgets that it had it. */
  async #release(carrier: Carrier, recordingId: string, held: Held): Promise<void> {
    const { signal } = this.#parts;
    const latest = await this.#book.get(recordingId);
    const id = latest?.carrierId ?? held.carrierId;
    if (id !== undefined) {
      if (!held.outcome) await carrier.stopRecording({ legId: held.legId, id }, signal); // one that runs cannot be deleted
      await carrier.deleteRecording({ legId: held.legId, id }, signal);
    }
    await this.#book.drop(recordingId);
  }

  async #ref(recordingId: string): Promise<RecordingRef> {
    const held = await this.#book.get(recordingId);
    if (held?.carrierId !== undefined) return { legId: held.legId, id: held.carrierId };
    throw new CarrierUnreachableError("The carrier has not said whether it records the call.");
  }
}

// --- Internal helpers ---

function findRunning({ recordings }: Call, state: "running" | "paused"): CallRecording | undefined {
  return recordings.find((one) => one.by === "carrier" && one.state === state);
}

/** Whether the journal says that it takes no more sound. */
const isStopped = ({ state }: CallRecording): boolean => state !== "running" && state !== "paused";

/** Whether nothing more is to be fetched of it. */
const isKept = ({ state }: CallRecording): boolean => state === "stored" || state === "deleted";

function asOutcome({ state, durationMs = 0, carrierStatus }: CarrierRecording): Outcome | undefined {
  if (state !== "ready" && state !== "absent" && state !== "failed" && state !== "gone") return undefined;
  return { state, durationMs, carrierStatus };
}
