import { createInterface } from "node:readline/promises";

/** Asks the person at the terminal; empty when there is none, or the command is told to stop. */
export async function ask(question: string, signal: AbortSignal): Promise<string> {
  if (!process.stdin.isTTY) return "";
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question(question, { signal });
  } catch (error) {
    if (signal.aborted) return "";
    throw error;
  } finally {
    terminal.close();
  }
}
