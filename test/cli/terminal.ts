import { EventEmitter, once } from "node:events";
import type { Terminal } from "../../src/cli/terminal.ts";

/** A terminal that keeps what is written on it. */
export class CapturedTerminal implements Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly output: string[] = [];
  readonly errors: string[] = [];
  readonly questions: string[] = [];
  /** What the person says to every question. */
  answer = "";
  readonly stopping = new AbortController();
  readonly #news = new EventEmitter();

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.env = env;
  }
  get stop(): AbortSignal {
    return this.stopping.signal;
  }
  out(line: string): void {
    this.output.push(line);
    this.#news.emit("line");
  }
  err(line: string): void {
    this.errors.push(line);
  }
  async ask(question: string): Promise<string> {
    this.questions.push(question);
    return this.answer;
  }
  /** Resolves with the next line of results. */
  async next(): Promise<unknown> {
    return once(this.#news, "line");
  }
}
