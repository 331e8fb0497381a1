import type { StreamLog, StreamLogEntry } from "./types.ts";

/** Counts what the application sends over the streams of one call. */
export class StreamLogBook implements StreamLog {
  streams = 0;
  media = 0;
  mediaBytes = 0;
  marks = 0;
  clears = 0;
  malformed = 0;
  readonly log: StreamLogEntry[] = [];
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  add(event: StreamLogEntry["event"], detail = ""): void {
    this.log.push({ atMs: this.#nowMs(), event, detail });
    if (event === "open") this.streams += 1;
    else if (event === "mark") this.marks += 1;
    else if (event === "clear") this.clears += 1;
    else if (event === "malformed") this.malformed += 1;
  }

  addMedia(bytes: number): void {
    this.add("media", String(bytes));
    this.media += 1;
    this.mediaBytes += bytes;
  }
}
