/** What a command may touch of the world. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes a line of results. */
  out(line: string): void;
  /** Writes a line about the command itself. */
  err(line: string): void;
  /** Asks the person at the terminal; empty when nobody is there to answer. */
  ask(question: string): Promise<string>;
  /** Aborted when the person at the terminal, or the system, wants the command to end. */
  readonly stop: AbortSignal;
}
