const HEADER_BYTES = 44;

/** One or two channels of 16-bit PCM. */
export interface Wav {
  readonly sampleRate: number;
  /** One array per channel, all of the same length. */
  readonly channels: readonly Int16Array[];
}

/** Writes a canonical 16-bit PCM RIFF/WAVE file; shorter channels are padded with silence. */
export function encodeWav({ sampleRate, channels }: Wav): Buffer {
  const frames = Math.max(0, ...channels.map((channel) => channel.length));
  const blockBytes = channels.length * 2;
  const dataBytes = frames * blockBytes;
  const file = Buffer.alloc(HEADER_BYTES + dataBytes);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(channels.length, 22);
  file.writeUInt32LE(sampleRate, 24);
  file.writeUInt32LE(sampleRate * blockBytes, 28);
  file.writeUInt16LE(blockBytes, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(dataBytes, 40);
  channels.forEach((channel, index) => {
    for (let i = 0; i < channel.length; i++) {
      file.writeInt16LE(channel[i] as number, HEADER_BYTES + i * blockBytes + index * 2);
    }
  });
  return file;
}

/**
 * Reads a 16-bit PCM RIFF/WAVE file, skipping chunks it does not know.
 * @throws Error when the bytes are not such a file
 */
export function decodeWav(file: Buffer): Wav {
  if (file.length < 12 || file.toString("latin1", 0, 4) !== "RIFF" || file.toString("latin1", 8, 12) !== "WAVE") {
    throw new Error("Not a WAV file: the RIFF/WAVE header is missing.");
  }
  let format: { channels: number; sampleRate: number } | undefined;
  for (let at = 12; at + 8 <= file.length; ) {
    const id = file.toString("latin1", at, at + 4);
    const size = file.readUInt32LE(at + 4);
    const body = at + 8;
    if (id === "fmt ") {
      if (file.readUInt16LE(body) !== 1 || file.readUInt16LE(body + 14) !== 16) {
        throw new Error("Not a 16-bit PCM WAV file; convert it to 16-bit PCM first.");
      }
      format = { channels: file.readUInt16LE(body + 2), sampleRate: file.readUInt32LE(body + 4) };
    } else if (id === "data" && format) {
      const { channels: count, sampleRate } = format;
      const frames = Math.floor(Math.min(size, file.length - body) / (count * 2));
      const channels = Array.from({ length: count }, (_, index) =>
        Int16Array.from({ length: frames }, (_, i) => file.readInt16LE(body + (i * count + index) * 2)),
      );
      return { sampleRate, channels };
    }
    at = body + size + (size & 1);
  }
  throw new Error("Not a complete WAV file: no fmt chunk followed by a data chunk.");
}
