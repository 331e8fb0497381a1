/** The value of each byte of the base64 alphabet; 0 for any other. */
const VALUES: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  Math.max(0, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".indexOf(String.fromCharCode(byte))),
);
const PADDING = 0x3d;

/** Bytes of a caller's frame that are listened to; it usually has 160. */
const LONGEST_FRAME = 1_600;

/** Decodes frames of base64 into one and the same memory. */
export class FrameDecoder {
  readonly #bytes = new Uint8Array(LONGEST_FRAME);

  /** The bytes of a frame, valid until the next. */
  decode(base64: Uint8Array): Uint8Array {
    return this.#bytes.subarray(0, decodeBase64(base64, this.#bytes));
  }
}

/** How many bytes base64 in ASCII bytes holds from one place to another; a fraction when it is no whole groups of four. */
export function decodedBytes(base64: Uint8Array, from = 0, until = base64.length): number {
  const padding = base64[until - 2] === PADDING ? 2 : base64[until - 1] === PADDING ? 1 : 0;
  return until <= from ? 0 : ((until - from) / 4) * 3 - padding;
}

/**
 * Decodes base64 in ASCII bytes, whole groups of four, without allocating: for frames that come fifty times a second.
 * Says how many bytes it wrote; what does not fit into `into` is left out.
 */
export function decodeBase64(base64: Uint8Array, into: Uint8Array): number {
  const count = Math.min(decodedBytes(base64), into.length);
  for (let at = 0, out = 0; out < count; at += 4, out += 3) {
    const group =
      ((VALUES[base64[at] as number] as number) << 18) |
      ((VALUES[base64[at + 1] as number] as number) << 12) |
      ((VALUES[base64[at + 2] as number] as number) << 6) |
      (VALUES[base64[at + 3] as number] as number);
    into[out] = group >> 16;
    into[out + 1] = group >> 8;
    into[out + 2] = group;
  }
  return count;
}
