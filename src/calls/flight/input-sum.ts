import type { Item } from "./items.ts";
import { BEAT, FRAME, flagsOf, INPUT, JUDGED, PUT_OFF } from "./tags.ts";
import type { Field, Input } from "./tap.ts";

/** The sum of all that came in, in 16 bits: what was dropped, swapped or altered makes it another one. */
export class InputSum {
  #hash = 0x811c9dc5;

  get value(): number {
    return (this.#hash ^ (this.#hash >>> 16)) & 0xffff;
  }

  frame(afterMs: number, flags: number, length: number): void {
    this.#add(FRAME | flags);
    this.#add(afterMs);
    this.#add(length);
  }

  beat(afterMs: number, flags: number): void {
    this.#add(BEAT | flags);
    this.#add(afterMs);
  }

  input(afterMs: number, flags: number, what: Input): void {
    this.#add(INPUT | flags);
    this.#add(afterMs);
    for (const field of what) this.#field(field);
  }

  heard(level: number, floor: number, flags: number): void {
    this.#add((level << 16) | (floor << 8) | flags);
  }

  verdict(kind: number, verdict: boolean): void {
    this.#add(verdict ? kind + 0x100 : kind);
  }

  seen(name: string, value: string): void {
    this.#text(name);
    this.#text(value);
  }

  /** Adds an item that was read. */
  item(item: Item): void {
    if (item.kind === "frame") this.frame(item.afterMs, flagsOf(item.nested, item.atOnce), item.length);
    else if (item.kind === "beat") this.beat(item.afterMs, flagsOf(item.nested, item.atOnce));
    else if (item.kind === "input") this.input(item.afterMs, flagsOf(item.nested, item.atOnce), item.what);
    else if (item.kind === "heard") this.heard(item.level, item.floor, item.flags);
    else if (item.kind === "put-off") this.verdict(PUT_OFF, item.verdict);
    else if (item.kind === "judged") this.verdict(JUDGED, item.verdict);
    else if (item.kind === "seen") this.seen(item.name, item.value);
  }

  #field(field: Field): void {
    if (typeof field === "number") this.#add(Number.isSafeInteger(field) ? field : Math.round(field * 1_000));
    else if (typeof field === "string") this.#text(field);
    else if (field === null || typeof field === "boolean") this.#add(field === null ? -1 : field ? -2 : -3);
    else {
      this.#add(-4 - field.length);
      for (const one of field) this.#field(one);
    }
  }

  #text(text: string): void {
    this.#add(text.length);
    for (let i = 0; i < text.length; i++) this.#add(text.charCodeAt(i));
  }

  #add(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193);
    this.#hash ^= this.#hash >>> 15;
  }
}
