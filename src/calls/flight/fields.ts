import type { Field, Input } from "./tap.ts";

/** Words that come again and again: one byte each. */
const WORDS: readonly string[] = [
  ..."engine audio audioDone agentWords callerWords callerWordsFailed speechStarted speechStopped".split(" "),
  ..."turnCommitted turnEmpty responseStarted responseEnded toolCalled fault noted closed marked timer".split(" "),
  ..."key media attach written tool-done opened prepare say instruct update close last-words agent agent-done".split(
    " ",
  ),
  ..."turn greeting reply tool idle completed cancelled failed incomplete words back-channel nothing blank".split(" "),
];
const PLACES: ReadonlyMap<string, number> = new Map(WORDS.map((word, at) => [word, at]));

const NULL = 0;
const FALSE = 1;
const TRUE = 2;
const NUMBER = 3;
const NEGATIVE = 4;
const FRACTION = 5;
const TEXT = 6;
const LIST = 7;
const ID = 8;
const WORD = 16;

/** Where fields are written to. */
export interface FieldSink {
  byte(byte: number): void;
  number(value: number): void;
  text(text: string): void;
}

/** Where fields are read from. */
export interface FieldSource {
  byte(): number;
  number(): number;
  text(): string;
}

/** Writes what came in, a byte or a few for each field. */
export function writeInput(sink: FieldSink, what: Input): void {
  sink.number(what.length);
  for (const field of what) writeField(sink, field);
}

export function readInput(source: FieldSource): Input {
  return Array.from({ length: source.number() }, () => readField(source)) as unknown as Input;
}

// --- Internal helpers ---

function writeField(sink: FieldSink, field: Field): void {
  if (typeof field === "number") writeNumber(sink, field);
  else if (typeof field === "string") writeText(sink, field);
  else if (field === null) sink.byte(NULL);
  else if (typeof field === "boolean") sink.byte(field ? TRUE : FALSE);
  else {
    sink.byte(LIST);
    sink.number(field.length);
    for (const one of field) writeField(sink, one);
  }
}

function writeNumber(sink: FieldSink, value: number): void {
  if (Number.isSafeInteger(value)) {
    sink.byte(value < 0 ? NEGATIVE : NUMBER);
    sink.number(Math.abs(value));
  } else {
    sink.byte(FRACTION);
    sink.text(String(value));
  }
}

function writeText(sink: FieldSink, text: string): void {
  const place = PLACES.get(text);
  if (place !== undefined) {
    sink.byte(WORD + place);
    return;
  }
  const id = text.charCodeAt(0) === 0x23 ? Number(text.slice(1)) : Number.NaN;
  if (Number.isSafeInteger(id) && id > 0 && text === `#${id}`) {
    sink.byte(ID);
    sink.number(id);
  } else {
    sink.byte(TEXT);
    sink.text(text);
  }
}

function readField(source: FieldSource): Field {
  const tag = source.byte();
  switch (tag) {
    case NULL:
      return null;
    case FALSE:
      return false;
    case TRUE:
      return true;
    case NUMBER:
      return source.number();
    case NEGATIVE:
      return -source.number();
    case FRACTION:
      return Number(source.text());
    case TEXT:
      return source.text();
    case LIST:
      return Array.from({ length: source.number() }, () => readField(source));
    case ID:
      return `#${source.number()}`;
    default:
      return wordAt(tag - WORD);
  }
}

function wordAt(place: number): string {
  const word = WORDS[place];
  if (word === undefined) throw new RangeError("A field cannot be read: this record was made by another version.");
  return word;
}
