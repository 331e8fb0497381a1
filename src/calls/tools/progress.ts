import type { Clock } from "../../core/clock.ts";
import { quoteLine } from "../context/quote.ts";

/** Whoever waits wants to hear that something happens, not everything that does. */
const APART_MS = 4_000;
/** About eight seconds of speech. */
const MAX_CHARACTERS = 120;

/** Tells `say` what a tool is doing: short words, no sooner than 4 s after the last; what comes between is dropped. */
export function spacedProgress(clock: Clock, say: (words: string) => void): (words: string) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (words) => {
    const line = quoteLine(words, MAX_CHARACTERS);
    if (line === "" || clock.now() - lastMs < APART_MS) return;
    lastMs = clock.now();
    say(line);
  };
}
