/** What relays of the benchmark look for in messages, and what they write around sound, as bytes. */

const QUOTE = 0x22;
const PADDING = 0x3d;

export const BYTES_PER_MS = 8;
/** Frames of a caller that are kept while the model's socket opens. */
export const KEPT_FRAMES = 500;

export const MEDIA = Buffer.from('{"event":"media"');
export const PAYLOAD = Buffer.from('"payload":"');
export const DELTA_EVENT = Buffer.from('{"type":"response.output_audio.delta"');
export const DELTA = Buffer.from('"delta":"');
export const ITEM = Buffer.from('"item_id":"');
export const TRANSCRIPT_DELTA = Buffer.from('{"type":"response.output_audio_transcript.delta"');
export const APPEND_HEAD = Buffer.from('{"type":"input_audio_buffer.append","audio":"');
export const APPEND_TAIL = Buffer.from('"}');
export const MEDIA_TAIL = Buffer.from('"}}');

/** What a message to the phone begins with, before its sound. */
export const mediaHead = (streamId: string): Buffer =>
  Buffer.from(`{"event":"media","streamSid":"${streamId}","media":{"payload":"`);

/** The session that relays ask for: the engine takes the turns. */
export const SESSION = {
  type: "session.update",
  session: {
    type: "realtime",
    audio: {
      input: {
        format: { type: "audio/pcmu" },
        transcription: { model: "gpt-transcribe" },
        turn_detection: { type: "server_vad" },
      },
      output: { format: { type: "audio/pcmu" }, voice: "marin" },
    },
  },
};

export const startsWith = (bytes: Buffer, head: Buffer): boolean =>
  bytes.length >= head.length && bytes.compare(head, 0, head.length, 0, head.length) === 0;

/** The string behind `name` as a view; `undefined`: it is not spelled as usual. */
export function field(bytes: Buffer, name: Buffer, from: number): Buffer | undefined {
  const at = bytes.indexOf(name, from);
  if (at < 0) return undefined;
  const start = at + name.length;
  return bytes.subarray(start, bytes.indexOf(QUOTE, start));
}

/** How many bytes base64 holds. */
export function bytesOf(base64: Buffer): number {
  const { length } = base64;
  const padding = base64[length - 1] !== PADDING ? 0 : base64[length - 2] === PADDING ? 2 : 1;
  return (length / 4) * 3 - padding;
}
