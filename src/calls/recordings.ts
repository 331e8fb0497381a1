import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import type { Call, CallRecording as RecordingFacts } from "../core/call.ts";
import { type Clock, sleep } from "../core/clock.ts";
import { CallNotFoundError, InvalidRequestError, StoreError } from "../core/errors.ts";
import type { Logger } from "../hosts/host.ts";
import type { Store } from "../stores/store.ts";
import type { CallJournal, Unstamped } from "./journal.ts";
import { CallRecording, type FinishedRecording } from "./recording/call-recording.ts";
import { RecordingFolder } from "./recording/folder.ts";
import { inspect, openRecording, repair } from "./recording/reader.ts";
import { durationOf, soundBytesOf } from "./recording/recorder.ts";
import type { RecordingBucket, RecordingSettings } from "./recording/settings.ts";
import { joinedBytes, joinedWav, type RecordedPart } from "./recording/whole.ts";
import { type RecordingHandle, RecordingWriter } from "./recording/writer.ts";
import type { RecordingShelf } from "./recording-at-carrier.ts";
import type { Ticker } from "./ticker.ts";

export interface RecordingsParts {
  readonly stateDir: string;
  readonly store: Pick<Store, "call">;
  readonly clock: Clock;
  readonly ticker: Pick<Ticker, "add">;
  readonly logger: Logger;
  readonly newId: () => string;
  /** How an account records; absent when it is not here. */
  readonly settingsOf: (accountId: string) => RecordingSettings | undefined;
  /** Appends to the journal of a call, live or over; durable when it resolves. */
  readonly write: (callId: string, ...events: Unstamped[]) => Promise<void>;
  /** Makes a new file; the disk's own unless told. */
  readonly openFile?: (path: string) => Promise<RecordingHandle>;
}

/** A recording, or a part of one, and where it lies. */
export interface RecordingPlace {
  readonly recordingId: string;
  /** A file's path below the state directory, or a URL. */
  readonly location: string;
}

/** The sound of a call, to be read once. */
export interface OpenRecording {
  /** A WAV file. */
  readonly stream: Readable;
  readonly bytes: number;
}

/** Waits between attempts to bring a recording to where it stays; the last one is kept to. */
const TRY_AGAIN_MS = [2_000, 10_000, 60_000, 300_000];

/**
 * The recordings of all calls: makes them, brings them to where they stay, gives them back and removes them. A mark
 * beside each file says that something is still to be done about it, until it was: whenever the process is killed, the
 * next one finishes what was begun, once.
 *
 * Each life of a call has a recording of its own. Together they are one sound, which begins with the answer of the call:
 * silence stands where nothing was kept.
 */
export class Recordings {
  readonly #parts: RecordingsParts;
  readonly #folder: RecordingFolder;
  readonly #live = new Map<string, CallRecording>();
  /** Files that this process writes. */
  readonly #written = new Set<string>();
  readonly #keeping = new Map<string, { readonly done: Promise<void>; readonly abort: AbortController }>();
  readonly #stopping = new AbortController();

  constructor(parts: RecordingsParts) {
    this.#parts = parts;
    this.#folder = new RecordingFolder(parts.stateDir, parts.openFile);
  }

  /** The recording of a call that begins, or goes on, in this process: it keeps nothing before it is told to. */
  of(
    journal: CallJournal,
    settings: RecordingSettings | undefined,
    recordAtCarrier?: () => Promise<unknown>,
  ): CallRecording {
    const { call } = journal;
    const { clock, ticker, logger, newId } = this.#parts;
    const before = this.#live.get(call.id);
    const startsPaused = before?.paused ?? call.recordings.findLast(({ by }) => by === "own")?.state === "paused";
    if (before) void before.stop();
    const encrypted = settings?.keys !== undefined;
    const recording = new CallRecording({
      journal,
      settings,
      clock,
      ticker,
      logger,
      newId,
      startsPaused,
      create: async (recordingId, { startSample }, onFailed) => {
        const name = this.#folder.nameOf(call.id, recordingId, encrypted);
        this.#written.add(name);
        return new RecordingWriter(
          await this.#folder.create(name),
          { startSample, key: settings?.keys?.[0] },
          onFailed,
        );
      },
      drop: (recordingId) => this.#folder.remove(this.#folder.nameOf(call.id, recordingId, encrypted)),
      onFinished: (finished) => {
        const name = this.#folder.nameOf(call.id, finished.recordingId, encrypted);
        this.#keep(call.id, name, finished, settings);
      },
      ...(recordAtCarrier && { recordAtCarrier }),
    });
    this.#live.set(call.id, recording);
    return recording;
  }

  /** The recording of a live call. */
  live(callId: string): CallRecording | undefined {
    return this.#live.get(callId);
  }

  /** A call is over: its recording is ended and goes where it stays, with what an earlier process left. Never rejects. */
  async ended(call: Call): Promise<void> {
    await this.#end(call.id);
    await this.#takeUp(call.id, await this.#folder.undoneOf(call.id).catch(() => [])); // the next start looks again
  }

  /** Takes up what an earlier process left of an account's calls that are over. Never rejects. */
  async takeUp(accountId: string): Promise<void> {
    const { store, logger } = this.#parts;
    try {
      for (const [callId, names] of await this.#folder.undone()) {
        const call = await store.call(callId);
        if (call?.accountId === accountId && call.state === "ended") await this.#takeUp(callId, names);
      }
    } catch (error) {
      logger.error("Recordings that an earlier process left could not be looked for.", { error: String(error) });
    }
  }

  /** Ends the recordings of calls that go on elsewhere. What is not done then is done by the next process. */
  async stop(): Promise<void> {
    await Promise.all([...this.#live.keys()].map((callId) => this.#end(callId)));
    this.#stopping.abort(new Error("The process stops."));
    await this.settled();
  }

  /** Resolves when every recording is where it stays, or was given up for now. */
  async settled(): Promise<void> {
    await Promise.all([...this.#keeping.values()].map(({ done }) => done));
  }

  /**
   * The sound of a call as one WAV file, decrypted: what we kept of it, from the answer on; else what the carrier did.
   * @throws CallNotFoundError @throws InvalidRequestError nothing of it was kept
   * @throws RecordingUnreadableError @throws StoreError
   */
  async open(callId: string): Promise<OpenRecording> {
    const call = await this.#parts.store.call(callId);
    if (!call) throw new CallNotFoundError(callId);
    const kept = call.recordings.filter(({ state }) => state !== "deleted");
    const own = kept.filter(({ by }) => by === "own");
    const parts: RecordedPart[] = [];
    for (const recording of own.length > 0 ? own : kept.slice(-1)) {
      const part = await this.#part(call, recording);
      if (part) parts.push(part);
    }
    const [first] = parts;
    if (!first) throw new InvalidRequestError("callId", "nothing of this call was recorded, or it was deleted");
    if (first.contents === "file") {
      return { stream: Readable.from((await first.open()).plain, { objectMode: false }), bytes: first.plainBytes };
    }
    parts.sort((a, b) => a.startSample - b.startSample);
    return { stream: Readable.from(joinedWav(parts), { objectMode: false }), bytes: joinedBytes(parts) };
  }

  /** Where everything lies that was kept of a call's sound. */
  async places(callId: string): Promise<readonly RecordingPlace[]> {
    const call = await this.#parts.store.call(callId);
    const files = await this.#folder.filesOf(callId);
    const here = files.map((name) => ({
      recordingId: idOf(name),
      location: this.#folder.locationOf(name),
    }));
    const elsewhere = (call?.recordings ?? []).flatMap(({ id: recordingId, location, state }) =>
      location === undefined || state === "deleted" || here.some((one) => one.location === location)
        ? []
        : [{ recordingId, location }],
    );
    return [...here, ...elsewhere];
  }

  /**
   * Removes everything that was kept of a call's sound, here and elsewhere, and leaves the journal to whoever asks.
   * Resolves with how many recordings that were. @throws StoreError something is still there, and stays in `places`
   */
  async deleteFilesOf(callId: string): Promise<number> {
    await this.#end(callId);
    const places = await this.places(callId);
    await Promise.all(places.map(({ recordingId }) => this.#leave(recordingId)));
    const bucket = this.#settings(await this.#parts.store.call(callId))?.bucket;
    for (const { recordingId, location } of places) {
      // One that was on its way may have arrived without anybody having written that down.
      const names = [false, true].map((encrypted) => this.#folder.nameOf(callId, recordingId, encrypted));
      const there = new Set(bucket ? names.map((name) => bucket.locationOf(name)) : []);
      if (/^https?:/.test(location)) there.add(location);
      for (const one of there) await removeFrom(bucket, one, this.#stopping.signal);
    }
    await this.#folder.removeCall(callId);
    return places.length;
  }

  /** A place for whole files of an account's recordings that others make. */
  shelf(accountId: string): RecordingShelf {
    const settings = () => this.#parts.settingsOf(accountId);
    const folder = this.#folder;
    return {
      get encrypted() {
        return settings()?.keys !== undefined;
      },
      async put({ callId, recordingId }, sound, signal) {
        const { keys, bucket } = settings() ?? {};
        const name = folder.nameOf(callId, recordingId, keys !== undefined);
        const bytes = await folder.write(name, sound, keys?.[0], signal);
        if (!bucket) return { location: folder.locationOf(name), bytes };
        await bucket.put(name, folder.pathOf(name), signal);
        await folder.remove(name);
        return { location: bucket.locationOf(name), bytes };
      },
      async remove({ callId, recordingId }, signal) {
        const { bucket } = settings() ?? {};
        for (const name of [false, true].map((encrypted) => folder.nameOf(callId, recordingId, encrypted))) {
          await folder.remove(name);
          await bucket?.delete(bucket.locationOf(name), signal);
        }
      },
    };
  }

  #settings(call: Call | undefined): RecordingSettings | undefined {
    return call && this.#parts.settingsOf(call.accountId);
  }

  async #end(callId: string): Promise<void> {
    const recording = this.#live.get(callId);
    await recording?.stop();
    if (this.#live.get(callId) === recording) this.#live.delete(callId);
  }

  async #takeUp(callId: string, names: readonly string[]): Promise<void> {
    const { store, logger } = this.#parts;
    for (const name of names) {
      if (this.#written.has(name)) continue;
      this.#written.add(name);
      try {
        const call = await store.call(callId);
        if (call) await this.#mend(call, name);
        else logger.warn("There is a recording of a call that nobody knows.", { callId, name });
      } catch (error) {
        logger.error("A recording of an earlier process could not be taken up.", {
          callId,
          name,
          error: String(error),
        });
      }
    }
  }

  /** Finishes a recording whose process was killed: whatever it had done, and nothing twice. */
  async #mend(call: Call, name: string): Promise<void> {
    const recordingId = idOf(name);
    const recording = call.recordings.find(({ id }) => id === recordingId);
    // It was never announced in the journal, or was to go.
    if (!recording || recording.state === "deleted") return this.#folder.remove(name);
    if (call.consent?.ok !== true) {
      await this.#parts.write(call.id, { type: "recording.deleted", recordingId, because: "order" });
      return this.#folder.remove(name);
    }
    const facts = await repair(this.#folder.pathOf(name)).catch((error: unknown) => error as Error);
    if (facts instanceof Error) {
      if (recording.state !== "stored" && recording.state !== "failed") {
        const message = `Nothing of it was kept: ${facts.message}`;
        await this.#parts.write(call.id, { type: "recording.failed", recordingId, message });
      }
      return this.#folder.remove(name);
    }
    if (recording.state === "failed") return this.#folder.settle(name);
    const durationMs = durationOf(facts.plainBytes);
    if (recording.state === "running" || recording.state === "paused") {
      await this.#parts.write(call.id, { type: "recording.stopped", recordingId, durationMs });
    }
    this.#keep(call.id, name, { recordingId, durationMs, discarded: false }, this.#settings(call));
  }

  /** Brings a finished recording to where it stays, again and again until it is there. */
  #keep(callId: string, name: string, finished: FinishedRecording, settings: RecordingSettings | undefined): void {
    const { recordingId } = finished;
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#stopping.signal]);
    const bring = () => this.#bring(callId, name, finished, settings?.bucket, signal);
    const done = this.#keepTrying(callId, name, bring, signal).finally(() => this.#keeping.delete(recordingId));
    this.#keeping.set(recordingId, { done, abort });
  }

  async #keepTrying(callId: string, name: string, bring: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#parts;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return await bring();
      } catch (error) {
        if (signal.aborted) return;
        logger.warn("A recording could not be brought to where it stays yet.", { callId, name, error: String(error) });
      }
      const waitMs = TRY_AGAIN_MS[Math.min(attempt, TRY_AGAIN_MS.length - 1)] as number;
      await sleep(clock, waitMs, signal).catch(() => {}); // it is left to the next start
    }
  }

  async #bring(
    callId: string,
    name: string,
    { recordingId, durationMs, discarded }: FinishedRecording,
    bucket: RecordingBucket | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const folder = this.#folder;
    const { store, write } = this.#parts;
    if (discarded) {
      await write(callId, { type: "recording.deleted", recordingId, because: "order" });
      return folder.remove(name);
    }
    const call = await store.call(callId);
    const known = call?.recordings.find(({ id }) => id === recordingId);
    if (known?.state !== "stored") {
      const path = folder.pathOf(name);
      const bytes = await folder.bytesOf(name);
      if (bucket) await bucket.put(name, path, signal);
      const location = bucket ? bucket.locationOf(name) : folder.locationOf(name);
      await write(callId, { type: "recording.stored", recordingId, location, bytes, durationMs });
      if (bucket) return folder.remove(name);
    } else if (known.location !== folder.locationOf(name)) return folder.remove(name);
    return folder.settle(name);
  }

  /** Lets go of a recording that is on its way. */
  async #leave(recordingId: string): Promise<void> {
    const keeping = this.#keeping.get(recordingId);
    keeping?.abort.abort(new Error("The recording is deleted."));
    await keeping?.done;
  }

  async #part(call: Call, { id, location, durationMs, bytes }: RecordingFacts): Promise<RecordedPart | undefined> {
    const { keys, bucket } = this.#settings(call) ?? {};
    const name = (await this.#folder.filesOf(call.id)).find((file) => idOf(file) === id);
    if (name !== undefined) {
      const path = this.#folder.pathOf(name);
      return { ...(await inspect(path)), open: () => openRecording(createReadStream(path), keys) };
    }
    if (location === undefined || durationMs === undefined || bytes === undefined) return undefined;
    if (!bucket?.has(location)) throw new StoreError(`The recording is not where it was: ${location}`);
    const opened = await openRecording(await bucket.open(location, this.#stopping.signal), keys);
    const plainBytes = opened.contents === "sound" ? soundBytesOf(durationMs) : opened.plainBytesOf(bytes);
    return { ...opened, plainBytes, open: async () => opened };
  }
}

// --- Internal helpers ---

async function removeFrom(bucket: RecordingBucket | undefined, location: string, signal: AbortSignal): Promise<void> {
  if (!bucket?.has(location)) {
    throw new StoreError(`The recording lies where nothing is configured any more: ${location}`);
  }
  await bucket.delete(location, signal);
}

/** The recording's id in the name of its file. */
function idOf(name: string): string {
  return name.replace(/^.*\//, "").replace(/\..*$/, "");
}
