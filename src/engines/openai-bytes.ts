import { randomFillSync } from "node:crypto";
import { decodedBytes } from "../audio/base64.ts";
import { frameHeadBytes, type Outlet, WriteRoom, writeTextFrameHead } from "../core/text-frames.ts";

/*
 * The two hot messages of a session as bytes: caller audio up, agent audio down. No message with audio in it is
 * parsed or composed as JSON, and each send is one buffer.
 */

/** A piece of agent audio, as `response.output_audio.delta` brings it. */
export interface AudioDelta {
  readonly responseId: string;
  readonly itemId: string;
  readonly audio: Buffer;
}

const APPEND_HEAD = Buffer.from('{"type":"input_audio_buffer.append","audio":"', "latin1");
const APPEND_TAIL = Buffer.from('"}', "latin1");

/** Where the payload of a frame begins in its memory: at a word, with room for the longest head and a mask before it. */
const PAYLOAD_AT = 16;
/** Bytes that there is room for at first: a usual frame ends at 281. */
const FIRST_ROOM = 512;
/** Rooms that are kept for writes which wait for their connections: over TLS each does, for a moment. */
const MOST_ROOMS = 16;
/** Masks that are made at once. */
const MASKS = 256;
const MASK_BYTES = 4;
/** Bytes of base64 that there is room for at first: 300 ms of sound. */
const USUAL_DELTA = 3_200;

/**
 * Writes `input_audio_buffer.append` as whole frames of a WebSocket client, masked with a number that nobody can
 * foresee (RFC 6455, 5.2 and 5.3), four bytes at a time. One instance serves all sessions: memory that is used for every
 * frame of every call is in the processor's cache, that of one call is not.
 */
export class AppendFrames {
  readonly #rooms = [new WriteRoom(FIRST_ROOM)];
  readonly #masks = new Int32Array(MASKS);
  #usedMasks = MASKS;
  /** The mask of the latest frame, in the order of bytes in which it is applied. */
  readonly #maskWord = new Int32Array(1);
  readonly #maskBytes = new Uint8Array(this.#maskWord.buffer);

  /** Writes the frame for base64 audio in ASCII bytes. */
  write(base64: Buffer, wire: Outlet): void {
    const audioAt = PAYLOAD_AT + APPEND_HEAD.length;
    const tailAt = audioAt + base64.length;
    const end = tailAt + APPEND_TAIL.length;
    const size = end - PAYLOAD_AT;
    const room = this.#free();
    room.clear(end);
    const { words, bytes } = room;
    bytes.set(APPEND_HEAD, PAYLOAD_AT);
    bytes.set(base64, audioAt);
    bytes.set(APPEND_TAIL, tailAt);
    const mask = this.#nextMask();
    for (let i = PAYLOAD_AT / 4; 4 * i < end; i++) words[i] = (words[i] as number) ^ mask;
    const from = PAYLOAD_AT - MASK_BYTES - frameHeadBytes(size);
    writeTextFrameHead(bytes, from, size, true);
    this.#maskWord[0] = mask;
    bytes.set(this.#maskBytes, PAYLOAD_AT - MASK_BYTES);
    room.write(from, end, wire);
  }

  /** A room that nobody needs; when there are too many that somebody does, one that gets other memory. */
  #free(): WriteRoom {
    for (const room of this.#rooms) if (!room.isKept) return room;
    if (this.#rooms.length === MOST_ROOMS) return this.#rooms[0] as WriteRoom;
    const room = new WriteRoom(FIRST_ROOM);
    this.#rooms.push(room);
    return room;
  }

  #nextMask(): number {
    if (this.#usedMasks === MASKS) {
      randomFillSync(this.#masks);
      this.#usedMasks = 0;
    }
    return this.#masks[this.#usedMasks++] as number;
  }
}

/** Reads the audio of a message, valid until the next; `undefined`: another message, or an unusual spelling, parse it. */
export type AudioDeltaScan = (message: Buffer) => AudioDelta | undefined;

/** Makes the scan for all sessions: it reads `response.output_audio.delta` in compact JSON, its known keys in any order. */
export function createAudioDeltaScan(): AudioDeltaScan {
  let room = Buffer.allocUnsafeSlow(USUAL_DELTA);
  return (message) => {
    const last = message.length - 1;
    if (message[0] !== BRACE_OPEN || message[last] !== BRACE_CLOSE) return undefined;
    let responseId = "";
    let itemId = "";
    let audio: Buffer | undefined;
    let seen = 0;
    for (let at = 1; at < last; ) {
      const key = KEYS[message[at + 1] as number];
      if (!key || !standsAt(message, key.spelling, at)) return undefined;
      seen |= key.bit;
      const start = at + key.spelling.length;
      const end = key.end(message, start);
      if (end < 0) return undefined;
      if (key.bit === RESPONSE_ID) responseId = message.toString("latin1", start, end - 1);
      else if (key.bit === ITEM_ID) itemId = message.toString("latin1", start, end - 1);
      else if (key.bit === DELTA) {
        if (end - start > room.length) room = Buffer.allocUnsafeSlow(2 * (end - start));
        audio = decode(message, start, end - 1, room);
        if (!audio) return undefined;
      }
      if (end < last && message[end] !== COMMA) return undefined;
      at = end + 1;
      if (end === last) return audio && (seen & NEEDED) === NEEDED ? { responseId, itemId, audio } : undefined;
    }
    return undefined;
  };
}

/** Whether a message is one of the many that repeat what others say, by its first key; no need to parse it. */
export function saysNothing(message: Buffer): boolean {
  if (!standsAt(message, TYPE_HEAD, 0)) return false;
  const end = message.indexOf(QUOTE, TYPE_HEAD.length);
  return end > 0 && REPEATING.has(message.toString("latin1", TYPE_HEAD.length, end));
}

// --- Internal helpers ---

const TYPE_HEAD = Buffer.from('{"type":"');

/** Events that tell nothing which no other tells. */
const REPEATING: ReadonlySet<string> = new Set([
  "conversation.item.added",
  "conversation.item.created",
  "conversation.item.deleted",
  "conversation.item.done",
  "conversation.item.truncated",
  "rate_limits.updated",
  "response.content_part.added",
  "response.content_part.done",
  "response.function_call_arguments.delta",
  "response.function_call_arguments.done",
  "response.output_item.added",
  "response.output_item.done",
]);

const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const ZERO = 0x30;

const [TYPE, RESPONSE_ID, ITEM_ID, DELTA] = [1, 2, 4, 8];
const NEEDED = TYPE | RESPONSE_ID | ITEM_ID | DELTA;

interface Key {
  readonly bit: number;
  /** The key with its quotes, its colon and the quote that opens its value. */
  readonly spelling: Buffer;
  /** Where the value that starts at `at` ends, behind its quote; -1 when it is no plain one. */
  readonly end: (message: Buffer, at: number) => number;
}

/** The keys of the message by their first letter: no two share it. */
const KEYS: Readonly<Record<number, Key>> = Object.fromEntries(
  (
    [
      [TYPE, '"type":"', typeEnd],
      [RESPONSE_ID, '"response_id":"', idEnd],
      [ITEM_ID, '"item_id":"', idEnd],
      [DELTA, '"delta":"', (message, at) => message.indexOf(QUOTE, at) + 1 || -1],
      [16, '"event_id":"', idEnd],
      [32, '"output_index":', indexEnd],
      [64, '"content_index":', indexEnd],
    ] satisfies [number, string, Key["end"]][]
  ).map(([bit, spelling, end]): [number, Key] => [
    spelling.charCodeAt(1),
    { bit, spelling: Buffer.from(spelling), end },
  ]),
);

const TYPE_VALUE = Buffer.from('response.output_audio.delta"');

function standsAt(message: Buffer, part: Buffer, at: number): boolean {
  for (let i = 0; i < part.length; i++) if (message[at + i] !== part[i]) return false;
  return true;
}

function typeEnd(message: Buffer, at: number): number {
  return standsAt(message, TYPE_VALUE, at) ? at + TYPE_VALUE.length : -1;
}

/** The end of a string of printable ASCII without escapes. */
function idEnd(message: Buffer, at: number): number {
  for (let i = at; i < message.length; i++) {
    const byte = message[i] as number;
    if (byte === QUOTE) return i + 1;
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return -1;
  }
  return -1;
}

function indexEnd(message: Buffer, at: number): number {
  let end = at;
  while ((message[end] as number) >= ZERO && (message[end] as number) <= ZERO + 9) end++;
  const isPlain = end === at + 1 || (end > at && message[at] !== ZERO);
  return isPlain ? end : -1;
}

/** The bytes of a base64 text, in `room`; nothing when a character of it is none of the alphabet, as an escape would be. */
function decode(message: Buffer, start: number, end: number, room: Buffer): Buffer | undefined {
  const length = decodedBytes(message, start, end);
  if (!Number.isInteger(length)) return undefined;
  const written = room.write(message.toString("latin1", start, end), 0, length, "base64");
  return written === length ? room.subarray(0, length) : undefined;
}
