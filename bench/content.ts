import { FRAME_BYTES } from "../src/audio/g711.ts";

/*
 * Every 20 ms block of sound names itself, so that each one can be followed from end to end. Twelve samples carry it,
 * four bits in each, at the loudness of the sound around them; the other 148 are a known piece of tone or speech.
 */

/** Bytes of a block that carry its name. */
export const NAME_BYTES = 12;
/** Sources are counted from 0 to this; then the count begins anew. */
export const MAX_SOURCES = 4096;
/** Blocks of one response that can be told apart. */
const BLOCKS_PER_RESPONSE = 256;

/** Who made a block: a caller's telephone, or the speech model. */
export type Maker = "caller" | "agent";
const MAKER_CODE = { caller: 0xc, agent: 0xa } as const;

/** µ-law codes of about −48 dBFS and below, and of −15 dBFS: the lower half of the byte is free. */
const QUIET = 0xf0;
const LOUD = 0xa0;

/** Writes the name of a block at `at`, in front of sound that is there already. */
export function nameBlock(
  out: Uint8Array,
  at: number,
  block: { readonly maker: Maker; readonly source: number; readonly number: number; readonly loud: boolean },
): void {
  const level = block.loud ? LOUD : QUIET;
  let check = 0x5;
  const put = (index: number, nibble: number) => {
    out[at + index] = level | nibble;
    check ^= nibble;
  };
  put(0, MAKER_CODE[block.maker]);
  for (let i = 0; i < 3; i++) put(1 + i, (block.source >> (4 * i)) & 0xf);
  for (let i = 0; i < 7; i++) put(4 + i, (block.number >> (4 * i)) & 0xf);
  put(11, check);
}

/** Reads names of blocks; one reader is used for many, because it runs a hundred times a second and call. */
export class BlockReader {
  maker: Maker = "caller";
  /** The call or the session that made the block. */
  source = 0;
  /** A caller's blocks are counted from 1; an agent's number is `blockNumber(response, index)`. */
  number = 0;
  loud = false;

  /** Whether a name stands at `at`. */
  read(bytes: Uint8Array, at: number): boolean {
    if (at + FRAME_BYTES > bytes.length) return false;
    const level = (bytes[at] as number) & 0xf0;
    if (level !== QUIET && level !== LOUD) return false;
    let check = 0x5;
    for (let i = 0; i < NAME_BYTES; i++) {
      const byte = bytes[at + i] as number;
      if ((byte & 0xf0) !== level) return false;
      check ^= byte & 0xf;
    }
    if (check !== 0) return false;
    const code = (bytes[at] as number) & 0xf;
    if (code !== MAKER_CODE.caller && code !== MAKER_CODE.agent) return false;
    this.maker = code === MAKER_CODE.caller ? "caller" : "agent";
    this.loud = level === LOUD;
    this.source = nibbles(bytes, at + 1, 3);
    this.number = nibbles(bytes, at + 4, 7);
    return true;
  }
}

export const blockNumber = (response: number, index: number): number => response * BLOCKS_PER_RESPONSE + index;
export const responseOf = (number: number): number => Math.floor(number / BLOCKS_PER_RESPONSE);
export const indexOf = (number: number): number => number % BLOCKS_PER_RESPONSE;

/** What may be wrong with what came through a bridge. */
export const FAULT_KINDS = [
  "callerLost",
  "callerDoubled",
  "callerReordered",
  "callerGarbled",
  "agentLost",
  "agentDoubled",
  "agentReordered",
  "agentGarbled",
  /** Sound of one call on another. */
  "crossed",
  /** Sound that came after the `clear` that threw it away. */
  "stale",
  /** A `clear` although nobody spoke. */
  "cutWrongly",
  /** The caller broke in and the sound went on. */
  "notCleared",
  /** The model was not told what was heard. */
  "notTruncated",
  /** The model was told of more than it had produced, and answered with an error. */
  "truncatedPastEnd",
  /** A refusal of the model for another reason. */
  "refused",
  "toolUnanswered",
  /** The caller waited for an answer in vain. */
  "unanswered",
  "badMessage",
  "callFailed",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];
export type FaultCounts = Record<FaultKind, number>;

export const noFaults = (): FaultCounts => Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as FaultCounts;

export function addFaults(sum: FaultCounts, more: Readonly<Partial<FaultCounts>>): void {
  for (const kind of FAULT_KINDS) sum[kind] += more[kind] ?? 0;
}

/** The faults that occurred at all. */
export const seenFaults = (faults: FaultCounts): Partial<FaultCounts> =>
  Object.fromEntries(Object.entries(faults).filter(([, count]) => count > 0));

/** Checks that numbered blocks come whole and in order; what is wrong is counted by `maker`. */
export class OrderChecker {
  readonly #faults: FaultCounts;
  readonly #maker: Maker;
  readonly #missing = new Set<number>();
  #next: number;

  constructor(faults: FaultCounts, maker: Maker, first: number) {
    this.#faults = faults;
    this.#maker = maker;
    this.#next = first;
  }

  /** The number that comes next when nothing is wrong. */
  get next(): number {
    return this.#next;
  }

  take(number: number): void {
    if (number === this.#next) {
      this.#next += 1;
    } else if (number > this.#next) {
      for (let lost = this.#next; lost < number; lost++) this.#missing.add(lost);
      this.#faults[`${this.#maker}Lost`] += number - this.#next;
      this.#next = number + 1;
    } else if (this.#missing.delete(number)) {
      this.#faults[`${this.#maker}Lost`] -= 1;
      this.#faults[`${this.#maker}Reordered`] += 1;
    } else {
      this.#faults[`${this.#maker}Doubled`] += 1;
    }
  }

  /** Nothing more comes, and `end` would have been next. */
  finish(end: number): void {
    if (end > this.#next) this.#faults[`${this.#maker}Lost`] += end - this.#next;
    this.#next = Math.max(this.#next, end);
  }
}

// --- Internal helpers ---

function nibbles(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value |= ((bytes[at + i] as number) & 0xf) << (4 * i);
  return value;
}
