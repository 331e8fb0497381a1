import type { Piece } from "../../audio/pacer.ts";
import { callerNumber } from "../../core/call.ts";
import { type Clock, sleep } from "../../core/clock.ts";
import { recordingMode } from "../../core/consent.ts";
import type { Logger } from "../../hosts/host.ts";
import type { CallJournal } from "../journal.ts";
import type { MediaTap } from "../media-bridge.ts";
import type { Ticker } from "../ticker.ts";
import { Opening, type OpeningParts } from "./opening.ts";
import { Recorder, startSample } from "./recorder.ts";
import type { RecordingSettings } from "./settings.ts";
import type { RecordingWriter } from "./writer.ts";

/** A disk has so long to take the end of a recording; the process may be stopping. */
const FINISH_WITHIN_MS = 2_000;

/** A recording that is whole on our disk. */
export interface FinishedRecording {
  readonly recordingId: string;
  readonly durationMs: number;
  /** Nothing of it is to be kept. */
  readonly discarded: boolean;
}

export interface CallRecordingParts {
  readonly journal: CallJournal;
  /** Absent where nothing is recorded. */
  readonly settings: RecordingSettings | undefined;
  readonly ticker: Pick<Ticker, "add">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: () => string;
  /** Makes the file of a recording. @throws Error it cannot be made */
  readonly create: (
    recordingId: string,
    order: { readonly startSample: number },
    onFailed: (error: Error) => void,
  ) => Promise<RecordingWriter>;
  /** Removes the file of a recording that was never announced. */
  readonly drop: (recordingId: string) => Promise<void>;
  /** A recording is whole: it goes where it stays. */
  readonly onFinished: (finished: FinishedRecording) => void;
  /** Has the carrier record, where it is to. @throws VoiceError it does not */
  readonly recordAtCarrier?: () => Promise<unknown>;
  /** Whether an earlier life of the call had paused its recording. */
  readonly startsPaused: boolean;
}

/** What runs of a recording. */
interface Running {
  readonly recordingId: string;
  readonly recorder: Recorder;
  readonly writer: RecordingWriter;
}

/** The recording of one call in this process: hears what passes, and keeps it once it may. */
export class CallRecording implements MediaTap {
  readonly #parts: CallRecordingParts;
  #running: Running | undefined;
  #starting: Promise<boolean> | undefined;
  #stopping: Promise<void> | undefined;
  #failed: string | undefined;
  #discarded = false;

  constructor(parts: CallRecordingParts) {
    this.#parts = parts;
  }

  /**
   * What is said before the conversation begins; nothing where the call is not recorded, or where it is known already
   * whether it may be: then the recording goes on, if it may.
   */
  opening(commands: Pick<OpeningParts, "say" | "goOn">): Opening | undefined {
    const { settings, journal, clock, logger } = this.#parts;
    if (!settings) return undefined;
    const how = recordingMode(callerNumber(journal.call), settings);
    const { consent } = journal.call;
    if (how === "off") return undefined;
    if (consent) {
      if (consent.ok) void this.start();
      return undefined;
    }
    const text = how === "ask" ? settings.question : settings.announcement;
    const discard = () => void this.discard();
    const keepsAnnouncement = settings.by === "own";
    const record = () => this.start();
    return new Opening({ ...commands, how, text, journal, clock, logger, record, keepsAnnouncement, discard });
  }

  /**
   * Begins to keep sound, once. What was kept of a call without consent in its journal is dropped at its end. Resolves
   * with whether sound is kept; never rejects.
   */
  start(): Promise<boolean> {
    if (this.#stopping) return Promise.resolve(false);
    this.#starting ??= this.#start();
    return this.#starting;
  }

  callerFrame(frame: Uint8Array, nowMs: number): void {
    this.#running?.recorder.callerFrame(frame, nowMs);
  }

  agentPlays(pieces: readonly Piece[]): void {
    this.#running?.recorder.agentPlays(pieces);
  }

  cleared(nowMs: number): void {
    this.#running?.recorder.cleared(nowMs);
  }

  /** A key was pressed that nobody may know. */
  hideKey(): void {
    this.#running?.recorder.hideKey(this.#parts.clock.now());
  }

  get paused(): boolean {
    return this.#running?.recorder.paused ?? this.#parts.startsPaused;
  }

  /** Keeps nothing from now on, as for a card's number: silence stands in its place. Whether there is a recording. */
  pause(): boolean {
    const running = this.#running;
    if (!running) return false;
    if (running.recorder.paused) return true;
    running.recorder.pause(this.#parts.clock.now());
    this.#parts.journal.note({ type: "recording.paused", recordingId: running.recordingId });
    return true;
  }

  /** Keeps what comes from now on. Whether there is a recording. */
  resume(): boolean {
    const running = this.#running;
    if (!running) return false;
    if (!running.recorder.paused) return true;
    running.recorder.resume(this.#parts.clock.now());
    this.#parts.journal.note({ type: "recording.resumed", recordingId: running.recordingId });
    return true;
  }

  /** Ends the recording. Resolves when it is whole on the disk, or will not be. Never rejects. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends the recording, and keeps nothing of it. Never rejects. */
  discard(): Promise<void> {
    this.#discarded = true;
    return this.stop();
  }

  async #start(): Promise<boolean> {
    const { journal, settings, logger, recordAtCarrier } = this.#parts;
    const { id: callId } = journal.call;
    try {
      if (settings?.by === "carrier") {
        await recordAtCarrier?.();
        return recordAtCarrier !== undefined;
      }
      return await this.#open();
    } catch (error) {
      logger.error("A call could not be recorded.", { callId, error: String(error) });
      return false;
    }
  }

  /** The file comes first: one that no journal knows is removed, but one that is not there would be waited for. */
  async #open(): Promise<boolean> {
    const { journal, clock, ticker, settings, create, drop, newId, startsPaused } = this.#parts;
    const recordingId = newId();
    const fromMs = clock.now();
    const answeredAtMs = journal.call.answeredAtMs ?? fromMs;
    const order = { startSample: startSample(answeredAtMs, fromMs) };
    const started = {
      type: "recording.started",
      recordingId,
      by: "own",
      encrypted: settings?.keys !== undefined,
    } as const;
    let writer: RecordingWriter;
    try {
      writer = await create(recordingId, order, (error) => this.#fail(recordingId, error));
    } catch (error) {
      await journal.write(started);
      this.#fail(recordingId, error as Error);
      return false;
    }
    try {
      await journal.write(started);
    } catch (error) {
      writer.abandon();
      await drop(recordingId);
      throw error;
    }
    if (this.#failed !== undefined) return false;
    this.#running = { recordingId, writer, recorder: new Recorder({ writer, ticker, answeredAtMs, fromMs }) };
    if (startsPaused) this.pause();
    return true;
  }

  async #stop(): Promise<void> {
    const { clock, journal, logger, onFinished } = this.#parts;
    if (this.#starting) await this.#starting;
    const running = this.#running;
    if (!running) return;
    const { recordingId, recorder, writer } = running;
    const enough = new AbortController();
    const finished = recorder.stop(clock.now()).catch((error: unknown) => this.#fail(recordingId, error as Error));
    const done = await Promise.race([finished, sleep(clock, FINISH_WITHIN_MS, enough.signal).catch(() => undefined)]);
    enough.abort();
    this.#running = undefined;
    if (this.#failed !== undefined) return;
    if (!done) {
      writer.abandon();
      return this.#fail(recordingId, new Error("The disk did not take the end of the recording."));
    }
    const { durationMs } = done;
    try {
      await journal.write({ type: "recording.stopped", recordingId, durationMs });
    } catch (error) {
      // That it is stored is written down again and again, and says the same.
      logger.error("The end of a recording was not written down.", { recordingId, error: String(error) });
    }
    const hasConsent = journal.call.consent?.ok === true;
    onFinished({ recordingId, durationMs, discarded: this.#discarded || !hasConsent });
  }

  /** What was kept stays; nothing more is. The call goes on. */
  #fail(recordingId: string, error: Error): void {
    if (this.#failed !== undefined) return;
    this.#failed = error.message;
    this.#running?.recorder.leave();
    this.#running = undefined;
    const { journal, logger } = this.#parts;
    logger.error("A recording failed; the call goes on.", {
      callId: journal.call.id,
      recordingId,
      error: error.message,
    });
    const event = { type: "recording.failed", recordingId, message: error.message } as const;
    journal.write(event).catch(() => journal.note(event)); // the journal goes on trying
  }
}
