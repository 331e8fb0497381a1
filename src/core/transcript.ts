/** Who spoke. The caller is the other person, whoever dialled. */
export type Speaker = "caller" | "agent";

/** One finished turn of one side, as it was heard. */
export interface TranscriptEntry {
  /** Stable within the call: the engine's item id. */
  readonly id: string;
  readonly speaker: Speaker;
  /** The words that were heard; for a cut agent turn the unheard rest is absent. */
  readonly text: string;
  /** Milliseconds from the answer of the call to the first sound of the turn. */
  readonly startMs: number;
  /** Milliseconds of the turn's sound that were heard. */
  readonly heardMs: number;
  /** Whether the turn was cut off before it had played out. */
  readonly cut: boolean;
}

/** Adds or replaces an entry, keeping spoken order: transcription of the caller arrives later than the reply to it. */
export function withEntry(entries: readonly TranscriptEntry[], entry: TranscriptEntry): readonly TranscriptEntry[] {
  const rest = entries.filter((other) => other.id !== entry.id);
  const at = rest.findLastIndex((other) => other.startMs <= entry.startMs) + 1;
  return [...rest.slice(0, at), entry, ...rest.slice(at)];
}

/**
 * The words of `text` that fit into `heardMs` of its `producedMs`, cut in proportion at a word boundary.
 * A word counts as heard when at least half of its share of the time was.
 */
export function heardText(text: string, heardMs: number, producedMs: number): string {
  if (producedMs <= 0 || heardMs <= 0) return "";
  if (heardMs >= producedMs) return text;
  const heardCharacters = (text.length * heardMs) / producedMs;
  let end = 0;
  for (const word of text.matchAll(/\S+/g)) {
    if (word.index + word[0].length / 2 > heardCharacters) break;
    end = word.index + word[0].length;
  }
  return text.slice(0, end);
}
