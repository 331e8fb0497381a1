import { relative } from "node:path";
import { runDemo } from "../demo/index.ts";
import type { Terminal } from "./terminal.ts";

/** Shows a whole call, says what it left and what to do next. With `json` the last line is the result as JSON. */
export async function demo({ out, json = false }: { out: string; json?: boolean }, terminal: Terminal): Promise<void> {
  const result = await runDemo({ out, print: terminal.out });
  const { files, longestSilenceMs, costUsd } = result;
  const shown = (path: string) => relative(process.cwd(), path) || path;
  for (const line of [
    "",
    `Longest silence: ${(longestSilenceMs / 1000).toFixed(1)} s. At list price the call would have cost $${costUsd.toFixed(4)}.`,
    `Recording:     ${shown(files.recording)} (left the caller, right the agent as heard)`,
    `Transcript:    ${shown(files.transcript)}`,
    `Memory before: ${shown(files.memoryBefore)}`,
    `Memory after:  ${shown(files.memoryAfter)}`,
    "",
    'Next: your own number. README.md says how, under "With Twilio and OpenAI".',
  ]) {
    terminal.out(line);
  }
  if (json) terminal.out(JSON.stringify(result));
}
