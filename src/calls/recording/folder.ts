import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { RecordingKey } from "./keys.ts";
import { SEGMENT_BYTES, Sealer } from "./sealed.ts";
import type { RecordingHandle } from "./writer.ts";

const FOLDER = "recordings";
/** Stands beside a recording for as long as it is not where it stays. */
const UNDONE = ".undone";
/** What is being written and is worth nothing before it is whole. */
const PARTIAL = ".partial";

/** The folder of recordings below the state directory: `recordings/<call>/<recording>.wav`, or `.sealed` when encrypted. */
export class RecordingFolder {
  readonly #stateDir: string;
  readonly #openFile: (path: string) => Promise<RecordingHandle>;

  /** `openFile` makes a new file, and fails where there is one. */
  constructor(stateDir: string, openFile = (path: string): Promise<RecordingHandle> => open(path, "wx", 0o600)) {
    this.#stateDir = stateDir;
    this.#openFile = openFile;
  }

  /** What a recording is called below the folder, and in a bucket. */
  nameOf(callId: string, recordingId: string, encrypted: boolean): string {
    return `${callId}/${recordingId}${encrypted ? ".sealed" : ".wav"}`;
  }

  pathOf(name: string): string {
    return join(this.#stateDir, FOLDER, name);
  }

  /** A path as the journal holds it: below the state directory. */
  locationOf(name: string): string {
    return relative(this.#stateDir, this.pathOf(name));
  }

  /** Makes the file of a recording; until `settle` it counts as not done. */
  async create(name: string): Promise<RecordingHandle> {
    await this.#makeFolder(name);
    await writeFile(this.#markOf(name), "", { mode: 0o600 });
    try {
      return await this.#openFile(this.pathOf(name));
    } catch (error) {
      await this.settle(name);
      throw error;
    }
  }

  /** The recording is where it stays. */
  async settle(name: string): Promise<void> {
    await rm(this.#markOf(name), { force: true });
  }

  /** Writes a whole file, encrypted if there is a key. All of it is there, or nothing. Says how many bytes it has. */
  async write(
    name: string,
    bytes: AsyncIterable<Uint8Array>,
    key: RecordingKey | undefined,
    signal: AbortSignal,
  ): Promise<number> {
    await this.#makeFolder(name);
    const path = this.pathOf(name);
    const partial = `${path}${PARTIAL}`;
    const file = createWriteStream(partial, { flags: "w", mode: 0o600, flush: true });
    try {
      await once(file, "open");
      for await (const chunk of key ? sealed(bytes, key) : bytes) {
        signal.throwIfAborted();
        await take(file, chunk);
      }
      file.end();
      await once(file, "close");
      await rename(partial, path);
      return file.bytesWritten;
    } catch (error) {
      file.destroy();
      await rm(partial, { force: true });
      throw error;
    }
  }

  /** How many bytes a file has. */
  async bytesOf(name: string): Promise<number> {
    return (await stat(this.pathOf(name))).size;
  }

  /** Names of recordings of which something is to be done, by call. */
  async undone(): Promise<ReadonlyMap<string, readonly string[]>> {
    const found = new Map<string, readonly string[]>();
    for (const callId of await list(join(this.#stateDir, FOLDER))) {
      const files = await this.undoneOf(callId);
      if (files.length > 0) found.set(callId, files);
    }
    return found;
  }

  /** The same of one call. */
  async undoneOf(callId: string): Promise<readonly string[]> {
    const files = await list(this.pathOf(callId));
    const marks = files.filter((file) => file.endsWith(UNDONE));
    return marks.map((mark) => `${callId}/${mark.slice(0, -UNDONE.length)}`);
  }

  /** Names of the recordings of a call. */
  async filesOf(callId: string): Promise<readonly string[]> {
    const files = await list(this.pathOf(callId));
    const whole = files.filter((file) => !file.endsWith(UNDONE) && !file.endsWith(PARTIAL));
    return whole.map((file) => `${callId}/${file}`);
  }

  /** Removes a recording. */
  async remove(name: string): Promise<void> {
    await rm(this.pathOf(name), { force: true });
    await rm(`${this.pathOf(name)}${PARTIAL}`, { force: true });
    await this.settle(name);
  }

  /** Removes the folder of a call, with whatever is in it. */
  async removeCall(callId: string): Promise<void> {
    await rm(this.pathOf(callId), { recursive: true, force: true });
  }

  async #makeFolder(name: string): Promise<void> {
    await mkdir(dirname(this.pathOf(name)), { recursive: true, mode: 0o700 });
  }

  #markOf(name: string): string {
    return `${this.pathOf(name)}${UNDONE}`;
  }
}

// --- Internal helpers ---

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

async function take(file: WriteStream, chunk: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    file.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

/** A file of any kind, encrypted as it comes. */
async function* sealed(bytes: AsyncIterable<Uint8Array>, key: RecordingKey): AsyncGenerator<Buffer> {
  const sealer = new Sealer(key, { contents: "file", startSample: 0 });
  yield sealer.head;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    rest = Buffer.concat([rest, chunk]);
    for (; rest.length >= SEGMENT_BYTES; rest = rest.subarray(SEGMENT_BYTES)) {
      yield sealer.seal(rest.subarray(0, SEGMENT_BYTES));
    }
  }
  yield sealer.seal(rest, true);
}
