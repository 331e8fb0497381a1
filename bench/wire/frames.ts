/*
 * WebSocket framing (RFC 6455) for the two ends of the benchmark and for its raw relay: one buffer for each message
 * that is sent, views into what was read for each that arrives.
 */

/** What kind of frame it is (RFC 6455, 5.2). */
export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const MASKED = 0x80;
const FINAL = 0x80;

/** Bytes in front of a payload. */
export function headBytes(payloadBytes: number, masked: boolean): number {
  const length = payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10;
  return masked ? length + 4 : length;
}

/** Writes the head of a final frame; `mask` is there for frames of a client. Says where the payload begins. */
export function writeHead(out: Buffer, opcode: number, payloadBytes: number, mask: number | undefined): number {
  const flag = mask === undefined ? 0 : MASKED;
  out[0] = FINAL | opcode;
  let at = 2;
  if (payloadBytes < 126) {
    out[1] = flag | payloadBytes;
  } else if (payloadBytes < 65_536) {
    out[1] = flag | 126;
    out.writeUInt16BE(payloadBytes, 2);
    at = 4;
  } else {
    out[1] = flag | 127;
    out.writeBigUInt64BE(BigInt(payloadBytes), 2);
    at = 10;
  }
  if (mask === undefined) return at;
  out.writeUInt32BE(mask >>> 0, at);
  return at + 4;
}

/** Applies a mask to `bytes` from `from` on, in place; twice is nothing. */
export function applyMask(bytes: Buffer, from: number, to: number, mask: number): void {
  if (mask === 0) return;
  const a = (mask >>> 24) & 0xff;
  const b = (mask >>> 16) & 0xff;
  const c = (mask >>> 8) & 0xff;
  const d = mask & 0xff;
  let at = from;
  for (; at + 3 < to; at += 4) {
    bytes[at] = (bytes[at] as number) ^ a;
    bytes[at + 1] = (bytes[at + 1] as number) ^ b;
    bytes[at + 2] = (bytes[at + 2] as number) ^ c;
    bytes[at + 3] = (bytes[at + 3] as number) ^ d;
  }
  const rest = [a, b, c];
  for (let i = 0; at < to; i++, at++) bytes[at] = (bytes[at] as number) ^ (rest[i] as number);
}

/** One whole frame of a payload. */
export function frame(opcode: number, payload: Buffer, mask?: number): Buffer {
  const out = Buffer.allocUnsafe(headBytes(payload.length, mask !== undefined) + payload.length);
  const at = writeHead(out, opcode, payload.length, mask);
  payload.copy(out, at);
  if (mask !== undefined) applyMask(out, at, out.length, mask);
  return out;
}

/** Takes a stream of bytes apart into frames. */
export class FrameReader {
  readonly #onFrame: (opcode: number, payload: Buffer) => void;
  #rest: Buffer | undefined;

  /** `onFrame` gets each payload unmasked, as a view that is good until it returns. */
  constructor(onFrame: (opcode: number, payload: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** Takes the next bytes. @throws Error a message in several frames: nobody here sends any */
  push(bytes: Buffer): void {
    const chunk = this.#rest ? Buffer.concat([this.#rest, bytes]) : bytes;
    this.#rest = undefined;
    let at = 0;
    for (;;) {
      const end = this.#read(chunk, at);
      if (end === undefined) break;
      at = end;
    }
    if (at < chunk.length) this.#rest = at === 0 ? chunk : chunk.subarray(at);
  }

  /** Reads one frame and says where it ends; `undefined`: it is not all there. */
  #read(chunk: Buffer, from: number): number | undefined {
    if (chunk.length - from < 2) return undefined;
    const first = chunk[from] as number;
    const second = chunk[from + 1] as number;
    if ((first & FINAL) === 0 || (first & 0xf) === 0) throw new Error("A message came in several frames.");
    let length = second & 0x7f;
    let at = from + 2;
    if (length === 126) {
      if (chunk.length < at + 2) return undefined;
      length = chunk.readUInt16BE(at);
      at += 2;
    } else if (length === 127) {
      if (chunk.length < at + 8) return undefined;
      length = Number(chunk.readBigUInt64BE(at));
      at += 8;
    }
    const masked = (second & MASKED) !== 0;
    const start = masked ? at + 4 : at;
    const end = start + length;
    if (chunk.length < end) return undefined;
    if (masked) applyMask(chunk, start, end, chunk.readUInt32BE(at));
    this.#onFrame(first & 0xf, chunk.subarray(start, end));
    return end;
  }
}
