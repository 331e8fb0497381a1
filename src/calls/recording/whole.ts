import { MULAW_SILENCE } from "../../audio/g711.ts";
import { MULAW_WAV_HEAD_BYTES, mulawWavHead, STEREO_BYTES } from "../../audio/wav-mulaw.ts";
import type { OpenedRecording } from "./reader.ts";

/** A recording of one life of a call. */
export interface RecordedPart extends Pick<OpenedRecording, "contents" | "startSample"> {
  /** Bytes that it holds. */
  readonly plainBytes: number;
  /** Opens it. Called once. */
  readonly open: () => Promise<OpenedRecording>;
}

/** Bytes of silence that are given out at once. */
const SILENCE_BYTES = 16_000;

/** Bytes of the WAV file that parts make together, in the order in which they begin. */
export function joinedBytes(parts: readonly RecordedPart[]): number {
  return MULAW_WAV_HEAD_BYTES + soundBytesOf(parts);
}

/** One WAV file of all parts: it begins with the answer of the call, and what no part has is silence. */
export async function* joinedWav(parts: readonly RecordedPart[]): AsyncGenerator<Buffer> {
  yield mulawWavHead({ startSample: 0, soundBytes: soundBytesOf(parts) });
  let at = 0;
  for (const part of parts) {
    yield* silence(part.startSample * STEREO_BYTES - at);
    const begins = Math.max(at, part.startSample * STEREO_BYTES);
    at = begins + part.plainBytes;
    yield* exactly(part.plainBytes, part);
  }
}

// --- Internal helpers ---

function soundBytesOf(parts: readonly RecordedPart[]): number {
  return parts.reduce((at, { startSample, plainBytes }) => Math.max(at, startSample * STEREO_BYTES) + plainBytes, 0);
}

function* silence(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= SILENCE_BYTES) {
    yield Buffer.alloc(Math.min(left, SILENCE_BYTES), MULAW_SILENCE);
  }
}

/** So many bytes of a part: one that is still being made may have more by now, one that was cut off less. */
async function* exactly(bytes: number, part: RecordedPart): AsyncGenerator<Buffer> {
  const opened = await part.open();
  let left = bytes;
  try {
    for await (const chunk of opened.plain) {
      const taken = chunk.subarray(0, left);
      left -= taken.length;
      if (taken.length > 0) yield taken;
      if (left === 0) break;
    }
  } finally {
    await opened.close();
  }
  yield* silence(left);
}
