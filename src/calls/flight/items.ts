import { crc32 } from "node:zlib";
import { FRAME_BYTES } from "../../audio/g711.ts";
import { type FieldSink, type FieldSource, readInput, writeInput } from "./fields.ts";
import { InputSum } from "./input-sum.ts";
import {
  AT_ONCE,
  BEAT,
  CHECK,
  COMMAND,
  END,
  FRAME,
  flagsOf,
  HEARD,
  ID,
  INPUT,
  JUDGED,
  KIND,
  LEG_AUDIO,
  NESTED,
  ODD_FRAME,
  PUT_OFF,
  SEEN,
  SESSION_AUDIO,
  YES,
} from "./tags.ts";
import type { Input } from "./tap.ts";

/** When something came in. */
interface When {
  /** Milliseconds since what came in before; 0 for what came in while something else went out. */
  readonly afterMs: number;
  /** It came in while something went out, from whoever that went to. */
  readonly nested: boolean;
  /** Nothing that waited has run since what came in before. */
  readonly atOnce: boolean;
}

/** One thing that is written down of a call. */
export type Item =
  /** `length` is in bytes of sound. */
  | ({ readonly kind: "frame"; readonly length: number } & When)
  | ({ readonly kind: "beat" } & When)
  | ({ readonly kind: "input"; readonly what: Input } & When)
  | { readonly kind: "command"; readonly line: string }
  | { readonly kind: "session-audio"; readonly session: number }
  | { readonly kind: "leg-audio"; readonly length: number; readonly audible: readonly boolean[] }
  | { readonly kind: "put-off"; readonly verdict: boolean }
  | { readonly kind: "judged"; readonly verdict: boolean }
  | { readonly kind: "heard"; readonly level: number; readonly floor: number; readonly flags: number }
  | { readonly kind: "seen"; readonly name: string; readonly value: string }
  | { readonly kind: "id"; readonly id: string }
  | { readonly kind: "check"; readonly sum: number }
  | { readonly kind: "end" };

const FIRST_SIZE = 8 * 1024;
/** Texts up to so many characters are looked through one by one; for longer ones that is not worth it. */
const MOST_PLAIN = 100;

/**
 * Writes items, one byte and a few numbers each. What came in is summed up as well: by that sum a record that was
 * changed is told from decisions that have.
 */
export class ItemWriter implements FieldSink {
  #bytes = Buffer.allocUnsafeSlow(FIRST_SIZE); // kept as long as the call: not of the pool, of which it would keep all
  #at = 0;
  #sum = new InputSum();

  /** Bytes that wait to be taken. */
  get length(): number {
    return this.#at;
  }

  frame(afterMs: number, nested: boolean, atOnce: boolean, length: number): void {
    this.#sum.frame(afterMs, flagsOf(nested, atOnce), length);
    this.#when(length === FRAME_BYTES ? FRAME : ODD_FRAME, afterMs, nested, atOnce);
    if (length !== FRAME_BYTES) this.number(length);
  }

  beat(afterMs: number, nested: boolean, atOnce: boolean): void {
    this.#sum.beat(afterMs, flagsOf(nested, atOnce));
    this.#when(BEAT, afterMs, nested, atOnce);
  }

  input(what: Input, afterMs: number, nested: boolean, atOnce: boolean): void {
    this.#sum.input(afterMs, flagsOf(nested, atOnce), what);
    this.#when(INPUT, afterMs, nested, atOnce);
    writeInput(this, what);
  }

  command(line: string): void {
    this.#tag(COMMAND);
    this.text(line);
  }

  sessionAudio(session: number): void {
    this.#tag(SESSION_AUDIO);
    this.number(session);
  }

  /** `audible` tells of the frame that begins at a byte. */
  legAudio(length: number, audible: (at: number) => boolean): void {
    this.#tag(LEG_AUDIO);
    this.number(length);
    let bits = 0;
    let count = 0;
    for (let at = 0; at < length; at += FRAME_BYTES) {
      bits = (bits << 1) | (audible(at) ? 1 : 0);
      count += 1;
      if (count % 7 === 0) {
        this.byte(bits);
        bits = 0;
      }
    }
    if (count % 7 > 0) this.byte(bits);
  }

  putOff(verdict: boolean): void {
    this.#verdict(PUT_OFF, verdict);
  }

  judged(verdict: boolean): void {
    this.#verdict(JUDGED, verdict);
  }

  heard(level: number, floor: number, flags: number): void {
    this.#sum.heard(level, floor, flags);
    this.#tag(HEARD);
    this.byte(level);
    this.byte(floor);
    this.byte(flags);
  }

  seen(name: string, value: string): void {
    this.#sum.seen(name, value);
    this.#tag(SEEN);
    this.text(name);
    this.text(value);
  }

  id(id: string): void {
    this.#tag(ID);
    this.text(id);
  }

  /** Writes down the sum of all that came in so far. */
  check(sum = this.#sum.value): void {
    this.#tag(CHECK);
    this.byte(sum & 0xff);
    this.byte(sum >> 8);
  }

  end(): void {
    this.#tag(END);
  }

  /** Writes an item as it was read. */
  item(item: Item): void {
    if (item.kind === "frame") this.frame(item.afterMs, item.nested, item.atOnce, item.length);
    else if (item.kind === "beat") this.beat(item.afterMs, item.nested, item.atOnce);
    else if (item.kind === "input") this.input(item.what, item.afterMs, item.nested, item.atOnce);
    else if (item.kind === "command") this.command(item.line);
    else if (item.kind === "session-audio") this.sessionAudio(item.session);
    else if (item.kind === "leg-audio") this.legAudio(item.length, (at) => item.audible[at / FRAME_BYTES] ?? false);
    else if (item.kind === "put-off") this.putOff(item.verdict);
    else if (item.kind === "judged") this.judged(item.verdict);
    else if (item.kind === "heard") this.heard(item.level, item.floor, item.flags);
    else if (item.kind === "seen") this.seen(item.name, item.value);
    else if (item.kind === "id") this.id(item.id);
    else if (item.kind === "check") this.check(item.sum);
    else this.end();
  }

  /** Takes out what was written, as one block. */
  take(): Buffer {
    const block = blockOf(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    return block;
  }

  #when(kind: number, afterMs: number, nested: boolean, atOnce: boolean): void {
    this.#tag(kind | flagsOf(nested, atOnce));
    this.number(afterMs);
  }

  #verdict(kind: number, verdict: boolean): void {
    this.#sum.verdict(kind, verdict);
    this.#tag(kind | (verdict ? YES : 0));
  }

  #tag(tag: number): void {
    if (this.#at + 64 > this.#bytes.length) this.#grow(64);
    this.byte(tag);
  }

  byte(byte: number): void {
    if (this.#at === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#at++] = byte;
  }

  number(value: number): void {
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) this.byte((rest % 0x80) | 0x80);
    this.byte(rest);
  }

  text(text: string): void {
    if (this.#asciiText(text)) return;
    const length = Buffer.byteLength(text);
    this.number(length);
    if (this.#at + length > this.#bytes.length) this.#grow(length);
    this.#at += this.#bytes.write(text, this.#at);
  }

  /** Writes a short text of plain letters, as nearly all are. Says whether it is one. */
  #asciiText(text: string): boolean {
    const { length } = text;
    if (length > MOST_PLAIN) return false;
    if (this.#at + length + 1 > this.#bytes.length) this.#grow(length + 1);
    const bytes = this.#bytes;
    const from = this.#at + 1;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[from + i] = code;
    }
    bytes[from - 1] = length;
    this.#at = from + length;
    return true;
  }

  #grow(by: number): void {
    const bigger = Buffer.allocUnsafeSlow(2 * this.#bytes.length + by);
    this.#bytes.copy(bigger, 0, 0, this.#at);
    this.#bytes = bigger;
  }
}

/** Reads the items of a block's payload. @throws RangeError they are cut off */
export function readItems(payload: Buffer): Item[] {
  const reader = new ItemReader(payload);
  const items: Item[] = [];
  while (reader.more) items.push(reader.next());
  return items;
}

/** A block: the length of its payload, its check, the payload. */
export function blockOf(payload: Uint8Array): Buffer {
  const block = Buffer.allocUnsafe(8 + payload.length);
  block.writeUInt32LE(payload.length, 0);
  block.writeUInt32LE(crc32(payload), 4);
  block.set(payload, 8);
  return block;
}

/** The payloads of the blocks that are whole, up to the first that is not. */
export function* payloadsOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at + 8 <= bytes.length; ) {
    const payload = bytes.subarray(at + 8, at + 8 + bytes.readUInt32LE(at));
    if (payload.length < bytes.readUInt32LE(at) || crc32(payload) !== bytes.readUInt32LE(at + 4)) return;
    yield payload;
    at += 8 + payload.length;
  }
}

// --- Internal helpers ---

class ItemReader implements FieldSource {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  next(): Item {
    const tag = this.byte();
    const kind = tag & KIND;
    const verdict = (tag & YES) !== 0;
    const when = () => ({ afterMs: this.number(), nested: (tag & NESTED) !== 0, atOnce: (tag & AT_ONCE) !== 0 });
    switch (kind) {
      case FRAME:
        return { kind: "frame", ...when(), length: FRAME_BYTES };
      case ODD_FRAME:
        return { kind: "frame", ...when(), length: this.number() };
      case BEAT:
        return { kind: "beat", ...when() };
      case INPUT:
        return { kind: "input", ...when(), what: readInput(this) };
      case COMMAND:
        return { kind: "command", line: this.text() };
      case SESSION_AUDIO:
        return { kind: "session-audio", session: this.number() };
      case LEG_AUDIO:
        return this.#legAudio();
      case PUT_OFF:
        return { kind: "put-off", verdict };
      case JUDGED:
        return { kind: "judged", verdict };
      case HEARD:
        return { kind: "heard", level: this.byte(), floor: this.byte(), flags: this.byte() };
      case SEEN:
        return { kind: "seen", name: this.text(), value: this.text() };
      case ID:
        return { kind: "id", id: this.text() };
      case CHECK:
        return { kind: "check", sum: this.byte() | (this.byte() << 8) };
      case END:
        return { kind: "end" };
      default:
        throw new RangeError(`There is no item of kind ${kind}: this record was made by another version.`);
    }
  }

  #legAudio(): Item {
    const length = this.number();
    const frames = Math.ceil(length / FRAME_BYTES);
    const audible: boolean[] = [];
    for (let at = 0; at < frames; at += 7) {
      const count = Math.min(7, frames - at);
      const bits = this.byte();
      for (let i = count - 1; i >= 0; i--) audible.push(((bits >> i) & 1) === 1);
    }
    return { kind: "leg-audio", length, audible };
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#at++);
  }

  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  text(): string {
    const length = this.number();
    if (this.#at + length > this.#bytes.length) throw new RangeError("An item is cut off.");
    this.#at += length;
    return this.#bytes.toString("utf8", this.#at - length, this.#at);
  }
}
