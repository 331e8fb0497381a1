import { decodedBytes } from "../../audio/base64.ts";
import { FRAME_BYTES, isAudible } from "../../audio/g711.ts";
import type { Hearing } from "../../audio/speech-meter.ts";
import type { MediaListener } from "../../carriers/carrier.ts";
import type { Clock } from "../../core/clock.ts";
import { flagsOf, levelOf } from "./hearing.ts";
import { ItemWriter } from "./items.ts";
import type { Input, Tap } from "./tap.ts";

/** Where a record is kept. */
export interface FlightSink {
  /** Takes a block, in order. Never throws. */
  write(block: Buffer): void;
  /** No more comes. */
  end(): void;
}

export interface RecorderParts {
  readonly clock: Clock;
  readonly sink: FlightSink;
}

/** A record that was cut off lacks no more than this and what one beat adds. */
const FLUSH_EVERY_MS = 2_000;
/** A block is written before that when so much has come together. */
const FLUSH_BYTES = 48 * 1024;
/** Ids that are remembered; older ones do not come back. */
const MOST_IDS = 4_096;

/**
 * Writes down what comes in to one conversation and what goes out. The conversation's time is told here, in whole
 * milliseconds, and stands still while something that came in is dealt with: a replay, which has the same times, then
 * decides the same.
 */
export class Recorder implements Tap {
  readonly #clock: Clock;
  readonly #sink: FlightSink;
  readonly #items = new ItemWriter();
  readonly #ids = new Map<string, string>();
  readonly #seen = new Map<string, string>();
  #idCount = 0;
  #nowMs: number;
  #flushedAtMs: number;
  /** Whether the conversation's own code runs: what it asks of itself does not come from outside. */
  #inside = false;
  /** Whether something goes out: whoever it goes to may come back with something at once. */
  #outward = false;
  /** Whether what waited when the last thing came in has not run yet. */
  #atOnce = false;
  /** Whether something happened since the last check that a frame or a beat does not bring by itself. */
  #eventful = false;
  #isOver = false;
  readonly #settled = () => {
    this.#atOnce = false;
  };

  constructor({ clock, sink }: RecorderParts) {
    this.#clock = clock;
    this.#sink = sink;
    this.#nowMs = Math.round(clock.now());
    this.#flushedAtMs = this.#nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  learn(id: string): string {
    const known = this.#ids.get(id);
    if (known !== undefined) return known;
    this.#idCount += 1;
    const name = `#${this.#idCount}`;
    this.#ids.set(id, name);
    if (!this.#isOver) this.#items.id(id);
    for (const [old] of this.#ids) {
      if (this.#ids.size <= MOST_IDS) break;
      this.#ids.delete(old);
    }
    return name;
  }

  nameOf(id: string): string {
    return this.#ids.get(id) ?? id;
  }

  input<Result>(what: Input, run: () => Result): Result {
    if (this.#inside) return run(); // it asks this of itself
    const nested = this.#outward;
    const afterMs = nested ? 0 : this.#passed();
    if (!this.#isOver) this.#items.input(what, afterMs, nested, this.#atOnce);
    this.#eventful = true;
    this.#mark();
    this.#inside = true;
    this.#outward = false;
    try {
      return run();
    } finally {
      this.#inside = false;
      this.#outward = nested;
    }
  }

  frame(base64: Buffer, listener: Pick<MediaListener, "audio">): void {
    const nested = this.#outward;
    const afterMs = nested ? 0 : this.#passed();
    if (!this.#isOver) this.#items.frame(afterMs, nested, this.#atOnce, Math.floor(decodedBytes(base64)));
    this.#inside = true;
    this.#outward = false;
    try {
      listener.audio(base64);
    } finally {
      this.#inside = false;
      this.#outward = nested;
    }
  }

  beat(run: () => void): void {
    const afterMs = this.#passed();
    if (this.#nowMs - this.#flushedAtMs >= FLUSH_EVERY_MS || this.#items.length > FLUSH_BYTES) this.#flush();
    if (!this.#isOver) this.#items.beat(afterMs, false, this.#atOnce);
    this.#inside = true;
    try {
      run();
    } finally {
      this.#inside = false;
    }
  }

  deliver(run: () => void): void {
    setImmediate(run);
  }

  command<Result>(line: string, act: () => Result): Result {
    if (!this.#isOver) this.#items.command(line);
    this.#eventful = true;
    this.#mark();
    const inside = this.#inside;
    const outward = this.#outward;
    this.#inside = false;
    this.#outward = true;
    try {
      return act();
    } finally {
      this.#inside = inside;
      this.#outward = outward;
    }
  }

  sessionAudio(session: number): void {
    if (!this.#isOver) this.#items.sessionAudio(session);
  }

  legAudio(audio: Uint8Array): void {
    if (this.#isOver) return;
    this.#eventful = true;
    this.#items.legAudio(audio.length, (at) => isAudible(audio, undefined, at, at + FRAME_BYTES));
  }

  see(name: string, value: () => string): void {
    if (this.#isOver) return;
    const now = value();
    if (this.#seen.get(name) === now) return;
    this.#seen.set(name, now);
    this.#items.seen(name, now);
  }

  judged(verdict: boolean): boolean {
    if (!this.#isOver) this.#items.judged(verdict);
    return verdict;
  }

  putOff(verdict: boolean): boolean {
    if (!this.#isOver) this.#items.putOff(verdict);
    return verdict;
  }

  heard(hearing: Hearing, frame: Uint8Array): void {
    this.#mark();
    if (this.#isOver) return;
    this.#items.heard(
      levelOf(hearing.levelDbfs),
      levelOf(hearing.floorDbfs),
      flagsOf(hearing, audibleAt(hearing.levelDbfs, frame)),
    );
  }

  end(): void {
    // What was given up answers within the same turn of the loop.
    setImmediate(() => {
      if (this.#isOver) return;
      this.#check();
      this.#items.end();
      this.#isOver = true;
      this.#sink.write(this.#items.take());
      this.#sink.end();
    });
  }

  /** Takes the time. Says how long ago it was taken before. */
  #passed(): number {
    this.#check();
    const now = Math.max(this.#nowMs, Math.round(this.#clock.now()));
    const afterMs = now - this.#nowMs;
    this.#nowMs = now;
    return afterMs;
  }

  #check(): void {
    if (this.#eventful && !this.#isOver) this.#items.check();
    this.#eventful = false;
  }

  #flush(): void {
    this.#flushedAtMs = this.#nowMs;
    if (this.#isOver || this.#items.length === 0) return;
    this.#sink.write(this.#items.take());
  }

  #mark(): void {
    if (this.#atOnce) return;
    this.#atOnce = true;
    queueMicrotask(this.#settled);
  }
}

// --- Internal helpers ---

/** Levels about which the ear and the measure of what is audible may differ. */
const DOUBT_DBFS = { from: -46, until: -44 };

/** Whether a frame is audible: its level, which is known, says so nearly always. */
function audibleAt(levelDbfs: number, frame: Uint8Array): boolean {
  const doubtful = levelDbfs >= DOUBT_DBFS.from && levelDbfs <= DOUBT_DBFS.until;
  return doubtful ? isAudible(frame) : levelDbfs > DOUBT_DBFS.until;
}
