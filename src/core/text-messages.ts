import { FINAL_TEXT, MASKED } from "./text-frames.ts";

/** A connection below a WebSocket, as Node's streams are. */
export interface Wire {
  listeners(event: "data"): readonly unknown[];
  on(event: "data", listener: (bytes: Buffer) => void): unknown;
  off(event: "data", listener: (bytes: Buffer) => void): unknown;
}

/** Memory into which connections read one after another. */
export interface ReadRoom {
  /** What a connection reads from now on goes to `take`, valid during the call of it. */
  tap(wire: Wire, take: (bytes: Buffer) => void): void;
}

/** A WebSocket whose library tells of messages by events, as `ws` does. */
export interface MessageSocket {
  emit(event: "message", data: Buffer, isBinary: boolean): unknown;
  on(event: "error", listener: () => void): unknown;
}

/** Longest message that is taken here, in bytes; a longer one is the library's. */
const LONGEST = 64 * 1024;
const FINAL = 0x80;
const CONTROL = 0x08;
const CLOSE = 0x08;
const OPCODE = 0x0f;
const NOTHING = Buffer.alloc(0);

/**
 * Reads whole text messages straight out of what a WebSocket's connection brings (RFC 6455, 5.2), and leaves every
 * other byte to its library, in order: what is in fragments, cut by the network, compressed, too long or wrong, and
 * all control frames.
 */
export class TextMessages {
  readonly #takesMasked: boolean;
  readonly #onText: (text: Buffer) => void;
  readonly #onRest: (bytes: Buffer) => void;
  /** Bytes still to come of a frame that is the library's. */
  #foreignBytes = 0;
  /** The head of a frame as far as it has come. */
  #head: Buffer = NOTHING;
  #inFragments = false;
  #isOver = false;

  /** `masked`: whether the other side is a client. A text is valid during the call of `onText` only. */
  constructor(masked: boolean, onText: (text: Buffer) => void, onRest: (bytes: Buffer) => void) {
    this.#takesMasked = masked;
    this.#onText = onText;
    this.#onRest = onRest;
  }

  /** Nothing is read any more. */
  stop(): void {
    this.#isOver = true;
    this.#foreignBytes = 0;
  }

  /** Takes what came; the memory is changed where it is masked. */
  read(bytes: Buffer): void {
    const chunk = this.#head.length > 0 ? Buffer.concat([this.#head, bytes]) : bytes;
    this.#head = NOTHING;
    let at = Math.min(this.#foreignBytes, chunk.length);
    this.#foreignBytes -= at;
    /** From here on nothing has been given on. */
    let from = 0;
    while (at < chunk.length && !this.#isOver) {
      const start = at;
      const flags = chunk[at] as number;
      const second = chunk[at + 1] ?? 0;
      const short = second & 0x7f;
      const maskAt = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
      const isMasked = (second & MASKED) !== 0;
      const textAt = isMasked ? maskAt + 4 : maskAt;
      if (chunk.length < at + 2 || textAt > chunk.length) {
        this.#head = Buffer.from(chunk.subarray(start)); // a view would keep the memory that the socket reads into
        if (start > from) this.#onRest(chunk.subarray(from, start));
        return;
      }
      const length =
        short < 126
          ? short
          : short === 126
            ? chunk.readUInt16BE(at + 2)
            : chunk.readUInt32BE(at + 2) * 2 ** 32 + chunk.readUInt32BE(at + 6);
      const end = textAt + length;
      const isOurs = flags === FINAL_TEXT && isMasked === this.#takesMasked && !this.#inFragments;
      if (isOurs && end <= chunk.length && length <= LONGEST) {
        if (start > from) this.#onRest(chunk.subarray(from, start));
        if (isMasked) unmask(chunk, maskAt, textAt, end);
        this.#onText(chunk.subarray(textAt, end));
        from = end;
      } else {
        const opcode = flags & OPCODE;
        if ((opcode & CONTROL) === 0) this.#inFragments = (flags & FINAL) === 0;
        if (opcode === CLOSE) this.#isOver = true; // nothing follows it (RFC 6455, 5.5.1)
        this.#foreignBytes = Math.max(0, end - chunk.length);
      }
      at = Math.min(end, chunk.length);
    }
    if (at > from) this.#onRest(from === 0 && at === chunk.length ? chunk : chunk.subarray(from, at));
  }
}

/**
 * Has the whole text messages of a socket that has just been opened read without its library: a quarter of the garbage
 * of a call is its. They come as the socket's `message`, as all others do. With `room`, what the connection brings is
 * read there.
 */
export function readTexts(socket: MessageSocket, wire: Wire, masked: boolean, room?: ReadRoom): void {
  const [library, ...others] = wire.listeners("data") as ((bytes: Buffer) => void)[];
  if (!library || others.length > 0) return; // not as we know it: the library reads everything
  const texts = new TextMessages(
    masked,
    (text) => void socket.emit("message", text, false),
    (bytes) => library.call(wire, room ? Buffer.from(bytes) : bytes), // the library keeps what it is given
  );
  const take = (bytes: Buffer) => texts.read(bytes);
  wire.off("data", library);
  wire.on("data", take); // what the stream had already, and without a room everything
  room?.tap(wire, take);
  socket.on("error", () => texts.stop());
}

// --- Internal helpers ---

function unmask(bytes: Buffer, maskAt: number, from: number, to: number): void {
  const [a, b, c, d] = [bytes[maskAt], bytes[maskAt + 1], bytes[maskAt + 2], bytes[maskAt + 3]] as [
    number,
    number,
    number,
    number,
  ];
  let i = from;
  for (const whole = to - 3; i < whole; i += 4) {
    bytes[i] = (bytes[i] as number) ^ a;
    bytes[i + 1] = (bytes[i + 1] as number) ^ b;
    bytes[i + 2] = (bytes[i + 2] as number) ^ c;
    bytes[i + 3] = (bytes[i + 3] as number) ^ d;
  }
  if (i < to) bytes[i] = (bytes[i] as number) ^ a;
  if (i + 1 < to) bytes[i + 1] = (bytes[i + 1] as number) ^ b;
  if (i + 2 < to) bytes[i + 2] = (bytes[i + 2] as number) ^ c;
}
