/** A key that recordings are encrypted with. */
export interface RecordingKey {
  /** Stands in each file, so that it is known later which key opens it. At most 64 bytes in UTF-8. */
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Buffer;
}

/** The keys of an account: new recordings get the first, old ones open with theirs. */
export type KeyRing = readonly [current: RecordingKey, ...older: RecordingKey[]];

/** Bytes of a key for AES-256. */
export const KEY_BYTES = 32;

/** A key as it is written: 64 hex digits, or base64 of 32 bytes; undefined when it is neither. */
export function parseKey(text: string): Buffer | undefined {
  const written = text.trim();
  if (/^[0-9a-f]{64}$/i.test(written)) return Buffer.from(written, "hex");
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(written)) return undefined;
  const bytes = Buffer.from(written, "base64");
  return bytes.length === KEY_BYTES ? bytes : undefined;
}
