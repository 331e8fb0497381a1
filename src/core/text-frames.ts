/** First byte of a whole text frame (RFC 6455, 5.2). */
export const FINAL_TEXT = 0x81;
/** Flag in the second byte: the payload is masked. */
export const MASKED = 0x80;

/** Bytes of the head of a WebSocket frame with so long a payload, without a mask (RFC 6455, 5.2). */
export const frameHeadBytes = (payloadBytes: number): number =>
  payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10;

/**
 * Writes the head of a whole text frame into `out` at `at`. Says where it ends: the payload follows, or, where it is
 * `masked`, its mask (RFC 6455, 5.2 and 5.3).
 */
export function writeTextFrameHead(out: Buffer, at: number, payloadBytes: number, masked: boolean): number {
  const flag = masked ? MASKED : 0;
  const head = frameHeadBytes(payloadBytes);
  out[at] = FINAL_TEXT;
  if (head === 2) out[at + 1] = flag | payloadBytes;
  else if (head === 4) {
    out[at + 1] = flag | 126;
    out.writeUInt16BE(payloadBytes, at + 2);
  } else {
    out[at + 1] = flag | 127;
    out.writeBigUInt64BE(BigInt(payloadBytes), at + 2);
  }
  return at + head;
}

/** A connection to which bytes are written, as Node's streams are. */
export interface Outlet {
  write(bytes: Uint8Array): unknown;
  /** Bytes that were written and have not been passed on. */
  readonly writableLength: number;
}

/**
 * Memory for what is written, used again once the connection has passed it on: mostly it has when `write` returns, over
 * TLS a little later. Fresh memory for each of fifty frames a second and call has V8 collect its old memory every
 * second: buffers count for it as if they were kept, until they are collected.
 */
export class WriteRoom {
  #words: Int32Array<ArrayBuffer>;
  #bytes: Buffer;
  /** Whoever may still need what it was given. */
  #keptBy: Outlet | undefined;

  constructor(size: number) {
    this.#words = new Int32Array(Math.ceil(size / 4));
    this.#bytes = Buffer.from(this.#words.buffer);
  }

  /** Whether what was written last still waits for its connection. */
  get isKept(): boolean {
    return this.#keptBy !== undefined && this.#keptBy.writableLength > 0;
  }

  /** Has room for so many bytes, of which nobody needs what they held. */
  clear(size: number): void {
    const { isKept } = this;
    this.#keptBy = undefined;
    const { length } = this.#bytes;
    if (isKept || size > length) this.#renew(size > length ? 2 * size : length);
  }

  /** The memory, until it is cleared. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** The same, four bytes at a time. */
  get words(): Int32Array {
    return this.#words;
  }

  /** Writes the bytes from one place to another; nothing changes them before the room is cleared. */
  write(from: number, to: number, outlet: Outlet): void {
    outlet.write(this.#bytes.subarray(from, to));
    if (outlet.writableLength > 0) this.#keptBy = outlet;
  }

  #renew(size: number): void {
    this.#words = new Int32Array(Math.ceil(size / 4));
    this.#bytes = Buffer.from(this.#words.buffer);
  }
}
