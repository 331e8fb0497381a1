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
