import { SAMPLE_RATE } from "./g711.ts";

/** One sample of both sides, caller left and agent right. */
export const STEREO_BYTES = 2;

/** What stands before the sound of one of our stereo µ-law files. */
export interface MulawWavHead {
  /** Where the sound begins, in samples from the answer of the call. */
  readonly startSample: number;
  /** Bytes of sound; absent while the file is being written, and in one whose writer was killed. */
  readonly soundBytes?: number;
}

/** Bytes before the sound. */
export const MULAW_WAV_HEAD_BYTES = 70;

const FORMAT_MULAW = 7;
/** What writers of streams say where the size is not known yet; players then read to the end of the file. */
const UNKNOWN = 0xffff_ffff;
/** A chunk of our own, which players skip. */
const START_CHUNK = "ovst";
const START_AT = 50;
const DATA_AT = 62;

/** The head of a stereo µ-law WAV file of 8 kHz (RIFF, format 7). */
export function mulawWavHead({ startSample, soundBytes }: MulawWavHead): Buffer {
  const head = Buffer.alloc(MULAW_WAV_HEAD_BYTES);
  head.write("RIFF", 0, "latin1");
  head.writeUInt32LE(soundBytes === undefined ? UNKNOWN : MULAW_WAV_HEAD_BYTES - 8 + soundBytes, 4);
  head.write("WAVEfmt ", 8, "latin1");
  head.writeUInt32LE(18, 16);
  head.writeUInt16LE(FORMAT_MULAW, 20);
  head.writeUInt16LE(STEREO_BYTES, 22);
  head.writeUInt32LE(SAMPLE_RATE, 24);
  head.writeUInt32LE(SAMPLE_RATE * STEREO_BYTES, 28);
  head.writeUInt16LE(STEREO_BYTES, 32);
  head.writeUInt16LE(8, 34);
  head.write("fact", 38, "latin1"); // required of every format that is not plain PCM
  head.writeUInt32LE(4, 42);
  head.writeUInt32LE(soundBytes === undefined ? UNKNOWN : soundBytes / STEREO_BYTES, 46);
  head.write(START_CHUNK, START_AT, "latin1");
  head.writeUInt32LE(4, START_AT + 4);
  head.writeUInt32LE(startSample, START_AT + 8);
  head.write("data", DATA_AT, "latin1");
  head.writeUInt32LE(soundBytes ?? UNKNOWN, DATA_AT + 4);
  return head;
}

/** Reads a head that `mulawWavHead` wrote; undefined when these bytes are none. */
export function readMulawWavHead(bytes: Buffer): MulawWavHead | undefined {
  if (bytes.length < MULAW_WAV_HEAD_BYTES) return undefined;
  const startSample = bytes.readUInt32LE(START_AT + 8);
  const soundBytes = bytes.readUInt32LE(DATA_AT + 4);
  const head = { startSample, ...(soundBytes !== UNKNOWN && { soundBytes }) };
  return mulawWavHead(head).equals(bytes.subarray(0, MULAW_WAV_HEAD_BYTES)) ? head : undefined;
}
