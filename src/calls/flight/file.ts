import { close, createReadStream, createWriteStream, open, write } from "node:fs";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { constants, createZstdCompress, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { Logger } from "../../hosts/host.ts";
import type { FlightHeader } from "./header.ts";
import { blockOf, type Item, ItemWriter, payloadsOf, readItems } from "./items.ts";
import type { FlightSink } from "./recorder.ts";

const MAGIC = Buffer.from("OVF1");
const COMPRESSED = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
/** A disk that takes nothing costs the record, not the memory. */
const MOST_WAITING = 1024 * 1024;
/** The time at which exported records begin. */
const EXPORTED_AT_MS = 1_000_000_000_000;
/** No record of a call is longer than this when it is unpacked. */
const LONGEST = 512 * 1024 * 1024;
const MOST_PARTS = 1_000;
/** Zstandard looks back 128 KiB, some minutes of a call. By default it is 2 MiB, which every packing would take. */
const WINDOW_LOG = 17;
const openFile = promisify(open);
const closeFile = promisify(close);

/** A record as it was read. */
export interface Flight {
  readonly header: FlightHeader;
  readonly items: readonly Item[];
}

/** Where the records of all calls are kept. */
export const flightsDir = (stateDir: string): string => join(stateDir, "flights");

/** The files that hold the record of a call, the oldest first: one for each process that had the call. */
export async function flightFiles(dir: string, callId: string): Promise<string[]> {
  const names = await readdir(dir).catch(() => []);
  const part = (name: string) => Number(/^\.(\d+)\.flight$/.exec(name.slice(callId.length))?.[1] ?? 1);
  return names
    .filter((name) => name.startsWith(`${callId}.`) && name.endsWith(".flight"))
    .sort((a, b) => part(a) - part(b))
    .map((name) => join(dir, name));
}

/** Reads a record, up to its last whole block. @throws RangeError it is none @throws Error it cannot be read */
export async function readFlight(file: string): Promise<Flight> {
  const raw = await readFile(file);
  const bytes = raw.subarray(0, 4).equals(COMPRESSED) ? zstdDecompressSync(raw, { maxOutputLength: LONGEST }) : raw;
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new RangeError(`${file} is no record of a call.`);
  const [header, ...blocks] = payloadsOf(bytes.subarray(MAGIC.length));
  if (!header) throw new RangeError(`${file} ends before it begins: nothing of the call was written.`);
  return { header: JSON.parse(header.toString("utf8")), items: blocks.flatMap(readItems) };
}

/** A record for others to read: packed, without ids, and without the time at which the call was. */
export function exportFlight({ header, items }: Flight): Buffer {
  const { callId: _callId, ...rest } = header;
  const writer = new ItemWriter();
  for (const item of items) if (item.kind !== "id") writer.item(item);
  return zstdCompressSync(Buffer.concat([beginningOf({ ...rest, startedAtMs: EXPORTED_AT_MS }), writer.take()]));
}

/** The beginning of a record. */
export const beginningOf = (header: FlightHeader): Buffer =>
  Buffer.concat([MAGIC, blockOf(Buffer.from(JSON.stringify(header)))]);

/** Packs records one after another: each takes memory while it is packed, and many calls may end at once. */
export class Packer {
  #last: Promise<void> = Promise.resolve();

  /** Puts a packed file in the place of a file. @throws Error it stays as it is */
  pack(file: string): Promise<void> {
    const packing = this.#last.then(() => pack(file));
    this.#last = packing.catch(() => {}); // told to whoever asked for it
    return packing;
  }
}

/** A record on disk: written on as the call goes on, packed when it is over. What cannot be written is given up. */
export class FlightFile implements FlightSink {
  readonly #dir: string;
  readonly #callId: string;
  readonly #logger: Logger;
  readonly #packer: Packer;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isEnded = false;
  #isGivenUp = false;
  #wake: (() => void) | undefined;
  /** Resolves when all is written and packed, or given up. Never rejects. */
  readonly done: Promise<void>;

  constructor({ dir, callId, logger, packer }: { dir: string; callId: string; logger: Logger; packer: Packer }) {
    this.#dir = dir;
    this.#callId = callId;
    this.#logger = logger;
    this.#packer = packer;
    this.done = this.#run().catch((error: unknown) => {
      this.#giveUp(error);
    });
  }

  write(block: Buffer): void {
    if (this.#isGivenUp || this.#isEnded) return;
    this.#waiting.push(block);
    this.#waitingBytes += block.length;
    if (this.#waitingBytes > MOST_WAITING) this.#giveUp("the disk is too slow");
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const { file, descriptor } = await this.#open();
    try {
      while (await this.#more()) await this.#writeOut(descriptor);
    } finally {
      await closeFile(descriptor);
    }
    if (!this.#isGivenUp) await this.#packer.pack(file);
  }

  /** A verb of its own: what was written last is not kept while the next is waited for. */
  async #writeOut(descriptor: number): Promise<void> {
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    await writeAll(descriptor, bytes);
    this.#waitingBytes -= bytes.length;
  }

  /** Waits for what is to be written. Says whether there is any. */
  async #more(): Promise<boolean> {
    while (this.#waiting.length === 0 && !this.#isEnded && !this.#isGivenUp) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    return this.#waiting.length > 0 && !this.#isGivenUp;
  }

  /** A file of its own: the record of an earlier process stays as it is. */
  async #open(): Promise<{ file: string; descriptor: number }> {
    for (let part = 1; part <= MOST_PARTS; part++) {
      const file = join(this.#dir, `${this.#callId}${part === 1 ? "" : `.${part}`}.flight`);
      try {
        return { file, descriptor: await openFile(file, "wx", 0o600) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
    throw new Error("the call has too many records");
  }

  #giveUp(error: unknown): void {
    if (this.#isGivenUp) return;
    this.#isGivenUp = true;
    this.#waiting = [];
    this.#logger.warn("The flight record of a call was given up.", { callId: this.#callId, error: String(error) });
  }
}

// --- Internal helpers ---

async function writeAll(descriptor: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += await new Promise<number>((resolve, reject) => {
      write(descriptor, bytes, at, (error, count) => (error ? reject(error) : resolve(count)));
    });
  }
}

/** Puts a packed file in the place of a file; whoever is killed meanwhile leaves the one or the other. */
async function pack(file: string): Promise<void> {
  const packed = `${file}.packing`;
  try {
    const compress = createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: WINDOW_LOG } });
    await pipeline(createReadStream(file), compress, createWriteStream(packed, { mode: 0o600 }));
    await rename(packed, file);
  } finally {
    await rm(packed, { force: true });
  }
}
