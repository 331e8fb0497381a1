const FINAL_TEXT = 0x81;
const MASKED = 0x80;

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
 * Memory for what is written, used again as soon as the connection has passed it on, which it nearly always has when
 * `write` returns. Fresh memory for each of fifty frames a second and call has V8 collect its old memory every second:
 * buffers count for it as if they were kept, until they are collected.
 */
export class WriteRoom {
  #words: Int32Array<ArrayBuffer>;
  #bytes: Buffer;

  constructor(size: number) {
    this.#words = new Int32Array(Math.ceil(size / 4));
    this.#bytes = Buffer.from(this.#words.buffer);
  }

  /** The memory as it is now; another after each `hold` and `write`. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** The same, four bytes at a time. */
  get words(): Int32Array {
    return this.#words;
  }

  /** Sees to it that there are so many bytes; what was in them is gone when there were fewer. */
  hold(size: number): void {
    if (size > this.#bytes.length) this.#renew(2 * size);
  }

  /** Writes a stretch of these bytes. Whatever the connection keeps of it is not touched again. */
  write(stretch: Buffer, to: Outlet): void {
    to.write(stretch);
    if (to.writableLength > 0) this.#renew(this.#bytes.length);
  }

  #renew(size: number): void {
    this.#words = new Int32Array(Math.ceil(size / 4));
    this.#bytes = Buffer.from(this.#words.buffer);
  }
}
