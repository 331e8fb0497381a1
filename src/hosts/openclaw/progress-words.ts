import type { AgentEvent } from "./session-activity.ts";

/** More often than this a caller does not want to hear that something is going on. */
const MOST_REPORTS = 5;

/** What a kind of tool does, in words that tell nothing of what it was given. The first that fits is said. */
const DOINGS: readonly (readonly [RegExp, string])[] = [
  [/calendar|schedul|appointment/i, "I am looking at the calendar."],
  [/mail|inbox/i, "I am looking at the mail."],
  [/memory|note/i, "I am looking through my notes."],
  [/web_?search|x_?search|search_?web/i, "I am searching the web."],
  [/web_?fetch|browser/i, "I am reading a web page."],
  [/^(read|file_?read|pdf)/i, "I am reading a file."],
  [/^(write|edit|apply_patch)/i, "I am writing that down."],
  [/message|send/i, "I am sending a message."],
  [/exec|bash|process|shell/i, "I am working on it on the computer."],
];
const OTHER = "I am still working on it.";

/**
 * Tells what a run of the agent is doing, by the names of its tools alone: their arguments may be private.
 * Says nothing twice in a row, and no more than a handful of things in one run.
 */
export function progressOf(runId: string, say: (words: string) => void): (event: AgentEvent) => void {
  let said = "";
  let reports = 0;
  return (event) => {
    if (event.runId !== runId || event.stream !== "tool" || event.data["phase"] !== "start") return;
    const words = wordsFor(event.data["name"]);
    if (words === said || reports >= MOST_REPORTS) return;
    said = words;
    reports += 1;
    say(words);
  };
}

// --- Internal helpers ---

function wordsFor(tool: unknown): string {
  if (typeof tool !== "string") return OTHER;
  return DOINGS.find(([kind]) => kind.test(tool))?.[1] ?? OTHER;
}
