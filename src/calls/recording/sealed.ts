import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { RecordingUnreadableError } from "./errors.ts";
import { KEY_BYTES, type KeyRing, type RecordingKey } from "./keys.ts";

/*
 * An encrypted recording is a head and segments behind it, each of them whole or worthless.
 *
 *   head     "OVSR" · version 1 · what it holds · length of the key's id · the key's id · salt (32) · start (u32)
 *   segment  length of what it holds, and in the highest bit whether it is the last (u32) · ciphertext · tag (16)
 *
 * Each file has a key of its own, derived from the account's and the salt, so that a nonce is used once although it only
 * counts: a process that goes on after a restart writes a file of its own. Nonce: seven zero bytes, the segment's number
 * (u32, big-endian), 1 in the last segment. Authenticated with each segment: the whole head. So a segment that was moved,
 * left out, taken from elsewhere or changed opens as nothing, and a file whose end is missing says so.
 */

/** What is in a sealed file: sound of ours (both sides of µ-law, one behind another), or a whole file of any kind. */
export type Contents = "sound" | "file";

/** What a segment holds, but for the last, which holds less: 400 ms of our sound. */
export const SEGMENT_BYTES = 6_400;

export interface SealedHead {
  readonly contents: Contents;
  /** Where the sound begins, in samples from the answer of the call. */
  readonly startSample: number;
}

const MAGIC = Buffer.from("OVSR", "latin1");
const VERSION = 1;
const SALT_BYTES = 32;
const TAG_BYTES = 16;
const LENGTH_BYTES = 4;
const FIXED_BYTES = MAGIC.length + 3;
const LAST = 0x8000_0000;
const CIPHER = "aes-256-gcm";
/** Bytes that every segment has beside what it holds. */
const SEAL_BYTES = LENGTH_BYTES + TAG_BYTES;
/** A segment that is not the last. */
const WHOLE_BYTES = SEGMENT_BYTES + SEAL_BYTES;

/** Whether a file that begins so is a sealed one. */
export function isSealed(start: Uint8Array): boolean {
  return MAGIC.equals(start.subarray(0, MAGIC.length));
}

/** Encrypts a recording while it is made. */
export class Sealer {
  /** What stands before the first segment. */
  readonly head: Buffer;
  readonly #key: Buffer;
  #count = 0;

  constructor({ id, secret }: RecordingKey, { contents, startSample }: SealedHead) {
    const name = Buffer.from(id);
    const salt = randomBytes(SALT_BYTES);
    const start = Buffer.alloc(4);
    start.writeUInt32LE(startSample);
    const facts = Buffer.from([VERSION, contents === "sound" ? 0 : 1, name.length]);
    this.head = Buffer.concat([MAGIC, facts, name, salt, start]);
    this.#key = fileKey(secret, salt);
  }

  /** The next segment: `SEGMENT_BYTES`, or fewer when it is the last. */
  seal(plain: Uint8Array, last = false): Buffer {
    const cipher = createCipheriv(CIPHER, this.#key, nonceOf(this.#count, last));
    this.#count += 1;
    cipher.setAAD(this.head);
    const sealed = Buffer.allocUnsafe(plain.length + SEAL_BYTES);
    sealed.writeUInt32LE((plain.length | (last ? LAST : 0)) >>> 0);
    sealed.set(cipher.update(plain), LENGTH_BYTES);
    cipher.final();
    sealed.set(cipher.getAuthTag(), LENGTH_BYTES + plain.length);
    return sealed;
  }
}

/** Decrypts a recording as its bytes come. */
export class Unsealer {
  readonly #keys: KeyRing | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #headBytes: Buffer | undefined;
  #key: Buffer | undefined;
  #head: SealedHead | undefined;
  #count = 0;
  #finished = false;

  constructor(keys: KeyRing | undefined) {
    this.#keys = keys;
  }

  /** What the head says, once it is there. What it says is only true when a segment has opened. */
  get head(): SealedHead | undefined {
    return this.#head;
  }

  /** Bytes of the head. */
  get headBytes(): number {
    return this.#headBytes?.length ?? 0;
  }

  /** Whether the last segment has come: nothing is missing at the end. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Opens what has become whole with these bytes. @throws RecordingUnreadableError they were altered, or their key is missing */
  push(bytes: Uint8Array): Buffer[] {
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    if (!this.#head && !this.#readHead()) return [];
    const opened: Buffer[] = [];
    while (this.#rest.length >= LENGTH_BYTES) {
      if (this.#finished) throw altered("something was put behind its end");
      const word = this.#rest.readUInt32LE();
      const last = (word & LAST) !== 0;
      const length = (word & ~LAST) >>> 0;
      // What a machine that lost its power leaves at the end of a file: as good as an end that is missing.
      if (word === 0) break;
      if (last ? length >= SEGMENT_BYTES : length !== SEGMENT_BYTES) throw altered("a segment's length is wrong");
      if (this.#rest.length < length + SEAL_BYTES) break;
      opened.push(this.#open(this.#rest.subarray(LENGTH_BYTES, length + SEAL_BYTES), last));
      this.#rest = this.#rest.subarray(length + SEAL_BYTES);
      this.#finished = last;
    }
    if (this.#finished && this.#rest.length > 0) throw altered("something was put behind its end");
    return opened;
  }

  #open(sealed: Buffer, last: boolean): Buffer {
    const decipher = createDecipheriv(CIPHER, this.#key as Buffer, nonceOf(this.#count, last));
    this.#count += 1;
    decipher.setAAD(this.#headBytes as Buffer);
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const plain = decipher.update(sealed.subarray(0, -TAG_BYTES));
    try {
      decipher.final();
    } catch (cause) {
      throw altered("a segment is not what was written, or not where it was", cause);
    }
    return plain;
  }

  /** Whether the head is there, which it then has read. */
  #readHead(): boolean {
    const head = readSealedHead(this.#rest);
    if (!head) return false;
    const key = this.#keys?.find(({ id }) => id === head.keyId);
    if (!key)
      throw new RecordingUnreadableError(
        `The recording is encrypted with the key "${head.keyId}", which is not configured. Add it to recording.olderKeys.`,
      );
    this.#headBytes = Buffer.from(this.#rest.subarray(0, head.bytes));
    this.#head = head;
    this.#key = fileKey(key.secret, head.salt);
    this.#rest = this.#rest.subarray(head.bytes);
    return true;
  }
}

/** Where the segment that closes a sealed file of so many bytes would begin: behind all that are whole. */
export function closingSegmentAt(headBytes: number, fileBytes: number): number {
  const whole = Math.floor(Math.max(0, fileBytes - headBytes) / WHOLE_BYTES);
  return headBytes + whole * WHOLE_BYTES;
}

/** What a sealed file of so many bytes holds, by the first bytes of its closing segment, as far as they are there. */
export function sealedSize(headBytes: number, fileBytes: number, closing: Buffer): SealedSize {
  const closingAt = closingSegmentAt(headBytes, fileBytes);
  const rest = fileBytes - closingAt - SEAL_BYTES;
  const finished = rest >= 0 && closing.length >= LENGTH_BYTES && closing.readUInt32LE() === (rest | LAST) >>> 0;
  const whole = (closingAt - headBytes) / WHOLE_BYTES;
  return { plainBytes: whole * SEGMENT_BYTES + (finished ? rest : 0), finished };
}

/** What a finished sealed file of so many bytes holds. */
export function finishedSize(headBytes: number, fileBytes: number): number {
  const closingAt = closingSegmentAt(headBytes, fileBytes);
  return ((closingAt - headBytes) / WHOLE_BYTES) * SEGMENT_BYTES + Math.max(0, fileBytes - closingAt - SEAL_BYTES);
}

export interface SealedSize {
  readonly plainBytes: number;
  /** Whether its last segment is there, as far as that can be told without the key. */
  readonly finished: boolean;
}

/** The head of a sealed file; undefined while not all of it is there. @throws RecordingUnreadableError it is none */
export function readSealedHead(
  bytes: Buffer,
): (SealedHead & { readonly keyId: string; readonly salt: Buffer; readonly bytes: number }) | undefined {
  if (bytes.length < FIXED_BYTES) return undefined;
  if (!isSealed(bytes) || bytes[4] !== VERSION) throw altered("it does not begin as one");
  const nameBytes = bytes[6] as number;
  const size = FIXED_BYTES + nameBytes + SALT_BYTES + 4;
  if (bytes.length < size) return undefined;
  const saltAt = FIXED_BYTES + nameBytes;
  return {
    contents: bytes[5] === 0 ? "sound" : "file",
    keyId: bytes.toString("utf8", FIXED_BYTES, saltAt),
    salt: Buffer.from(bytes.subarray(saltAt, saltAt + SALT_BYTES)),
    startSample: bytes.readUInt32LE(saltAt + SALT_BYTES),
    bytes: size,
  };
}

// --- Internal helpers ---

function fileKey(secret: Buffer, salt: Buffer): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, salt, "openclaw-voice-channel recording 1", KEY_BYTES));
}

function nonceOf(count: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(count, 7);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

function altered(how: string, cause?: unknown): RecordingUnreadableError {
  return new RecordingUnreadableError(`The recording was altered: ${how}.`, { cause });
}
