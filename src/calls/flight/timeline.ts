import { mulawMs } from "../../audio/g711.ts";
import type { Field, Input } from "./tap.ts";

/** One line of what happened. */
export interface TimelineEntry {
  /** Milliseconds since the record began. */
  readonly atMs: number;
  readonly who: "caller" | "phone" | "model" | "agent" | "tool" | "channel" | "clock" | "outside";
  readonly what: string;
}

const FRAME_MS = 20;
const SIDES: Readonly<Record<string, TimelineEntry["who"]>> = {
  marked: "phone",
  key: "caller",
  "not-understood": "phone",
  media: "phone",
  attach: "phone",
  engine: "model",
  opened: "model",
  "not-opened": "model",
  timer: "clock",
  written: "channel",
  "not-written": "channel",
  "tool-done": "tool",
  "tool-failed": "tool",
  progress: "tool",
  agent: "agent",
  "agent-done": "agent",
  "agent-failed": "agent",
};

/** What happened on a call, for people: frames and sound are added up between the lines. */
export class Timeline {
  readonly #entries: TimelineEntry[] = [];
  #audibleMs = 0;
  #audibleSinceMs = 0;
  #playedMs = 0;
  #playedSinceMs = 0;

  /** A frame of the caller. */
  heard(atMs: number, audible: boolean): void {
    if (!audible) return;
    if (this.#audibleMs === 0) this.#audibleSinceMs = atMs;
    this.#audibleMs += FRAME_MS;
  }

  /** Sound went to the phone. */
  played(atMs: number, bytes: number, audibleFrames: number): void {
    if (audibleFrames === 0) return;
    if (this.#playedMs === 0) this.#playedSinceMs = atMs;
    this.#playedMs += mulawMs(bytes);
  }

  /** Something else came in. */
  came(atMs: number, [kind, ...fields]: Input): void {
    const isSound = kind === "engine" && fields[1] === "audio";
    if (isSound || kind === "marked") return;
    this.#settle();
    const what = [kind, ...fields.map(shown)].filter((one) => one !== "").join(" ");
    this.#entries.push({ atMs, who: SIDES[kind] ?? "outside", what });
  }

  /** Something went out. */
  did(atMs: number, line: string): void {
    if (line.startsWith("mark ")) return;
    this.#settle();
    this.#entries.push({ atMs, who: "channel", what: line });
  }

  entries(): readonly TimelineEntry[] {
    this.#settle();
    return this.#entries;
  }

  #settle(): void {
    if (this.#audibleMs > 0) {
      this.#entries.push({ atMs: this.#audibleSinceMs, who: "caller", what: `is heard for ${this.#audibleMs} ms` });
    }
    if (this.#playedMs > 0) {
      this.#entries.push({ atMs: this.#playedSinceMs, who: "channel", what: `plays ${Math.round(this.#playedMs)} ms` });
    }
    this.#audibleMs = 0;
    this.#playedMs = 0;
  }
}

// --- Internal helpers ---

function shown(field: Field): string {
  if (typeof field !== "string") return field === null ? "" : JSON.stringify(field);
  return /^[x -]{3,}$/.test(field) ? `~${field.length}` : field;
}
