import { type FileHandle, open } from "node:fs/promises";
import { MULAW_WAV_HEAD_BYTES, mulawWavHead, readMulawWavHead, STEREO_BYTES } from "../../audio/wav-mulaw.ts";
import { RecordingUnreadableError } from "./errors.ts";
import type { KeyRing } from "./keys.ts";
import {
  type Contents,
  closingSegmentAt,
  finishedSize,
  isSealed,
  readSealedHead,
  sealedSize,
  Unsealer,
} from "./sealed.ts";

/** What is in a file of a recording. */
export interface RecordingFacts {
  readonly contents: Contents;
  /** Where its sound begins, in samples from the answer of the call. */
  readonly startSample: number;
  /** Bytes of what it holds: of the sound, or of the whole file inside. */
  readonly plainBytes: number;
  /** Whether it was finished by whoever wrote it; else its end is missing, and what is there opens. */
  readonly finished: boolean;
  readonly encrypted: boolean;
}

/** Longest head there may be, of a sealed file with a long key's name. */
const MOST_HEAD_BYTES = 512;

/** What is in a file, without its key. @throws RecordingUnreadableError it is no recording */
export async function inspect(path: string): Promise<RecordingFacts> {
  const file = await open(path, "r");
  try {
    return await inspectOpen(file);
  } finally {
    await file.close();
  }
}

/**
 * Mends a file whose writer was killed, and says what is in it: a WAV file gets its sizes. An encrypted one is left as
 * it is: that its end is missing stays known.
 * @throws RecordingUnreadableError it holds nothing: not even its head was written
 */
export async function repair(path: string): Promise<RecordingFacts> {
  const file = await open(path, "r+");
  try {
    const facts = await inspectOpen(file);
    const { startSample, plainBytes: soundBytes, encrypted, contents } = facts;
    if (encrypted || contents === "file") return facts;
    await file.truncate(MULAW_WAV_HEAD_BYTES + soundBytes);
    await file.write(mulawWavHead({ startSample, soundBytes }), 0, MULAW_WAV_HEAD_BYTES, 0);
    await file.sync();
    return facts;
  } finally {
    await file.close();
  }
}

/** What is inside a recording, as its bytes come: sound without a head, or the whole file that it holds. */
export interface OpenedRecording {
  readonly contents: Contents;
  readonly startSample: number;
  readonly plain: AsyncIterable<Buffer>;
  /** Bytes that it holds when all of the file is there, by how many the file has. */
  readonly plainBytesOf: (fileBytes: number) => number;
  /** Lets go of the file, read to its end or not. */
  readonly close: () => Promise<void>;
}

/**
 * Opens a recording, encrypted or not. Resolves when its head was read; what it holds follows as it is asked for.
 * @throws RecordingUnreadableError also while it is read: it was altered, or its key is missing
 */
export async function openRecording(bytes: AsyncIterable<Uint8Array>, keys?: KeyRing): Promise<OpenedRecording> {
  const source = bytes[Symbol.asyncIterator]();
  const close = async () => void (await source.return?.());
  try {
    return { ...(await openFrom(source, keys)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

// --- Internal helpers ---

type Source = AsyncIterator<Uint8Array>;

async function openFrom(source: Source, keys: KeyRing | undefined): Promise<Omit<OpenedRecording, "close">> {
  let start: Buffer = Buffer.alloc(0);
  while (start.length < MULAW_WAV_HEAD_BYTES) {
    const { value, done } = await source.next();
    if (done) break;
    start = Buffer.concat([start, value]);
  }
  if (isSealed(start)) return openSealed(start, source, keys);
  const head = readMulawWavHead(start);
  if (!head)
    return { contents: "file", startSample: 0, plain: together(start, source), plainBytesOf: (bytes) => bytes };
  const sound = together(start.subarray(MULAW_WAV_HEAD_BYTES), source);
  const plainBytesOf = (bytes: number) => bytes - MULAW_WAV_HEAD_BYTES;
  return { contents: "sound", startSample: head.startSample, plain: sound, plainBytesOf };
}

async function openSealed(start: Buffer, source: Source, keys: KeyRing | undefined) {
  const unsealer = new Unsealer(keys);
  const opened = unsealer.push(start);
  while (!unsealer.head) {
    const { value, done } = await source.next();
    if (done) throw new RecordingUnreadableError("The recording ends before it has begun.");
    opened.push(...unsealer.push(value));
  }
  const { contents, startSample } = unsealer.head;
  const plainBytesOf = (bytes: number) => finishedSize(unsealer.headBytes, bytes);
  return { contents, startSample, plain: unsealed(unsealer, opened, source), plainBytesOf };
}

async function* unsealed(unsealer: Unsealer, opened: readonly Buffer[], source: Source): AsyncGenerator<Buffer> {
  yield* opened;
  for await (const bytes of restOf(source)) yield* unsealer.push(bytes);
}

async function* together(start: Buffer, source: Source): AsyncGenerator<Buffer> {
  if (start.length > 0) yield start;
  for await (const bytes of restOf(source)) yield Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const restOf = (source: Source): AsyncIterable<Uint8Array> => ({ [Symbol.asyncIterator]: () => source });

async function inspectOpen(file: FileHandle): Promise<RecordingFacts> {
  const { size } = await file.stat();
  const start = await readAt(file, 0, MOST_HEAD_BYTES);
  if (isSealed(start)) {
    const head = readSealedHead(start);
    if (!head) throw new RecordingUnreadableError("The recording ends before it has begun.");
    const closing = await readAt(file, closingSegmentAt(head.bytes, size), 4);
    const { plainBytes, finished } = sealedSize(head.bytes, size, closing);
    return { contents: head.contents, startSample: head.startSample, plainBytes, finished, encrypted: true };
  }
  const head = readMulawWavHead(start);
  if (!head) {
    if (size < MULAW_WAV_HEAD_BYTES) throw new RecordingUnreadableError("The recording ends before it has begun.");
    return { contents: "file", startSample: 0, plainBytes: size, finished: true, encrypted: false };
  }
  const sound = size - MULAW_WAV_HEAD_BYTES;
  return {
    contents: "sound",
    startSample: head.startSample,
    plainBytes: sound - (sound % STEREO_BYTES),
    finished: head.soundBytes === sound,
    encrypted: false,
  };
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}
