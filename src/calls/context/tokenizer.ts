import type { Tokenizer } from "./fill.ts";

/** How much text the counts of which are remembered: some hundred files' worth, 8 MB at most. */
const REMEMBERED_CHARACTERS = 4_000_000;

/**
 * Counts o200k tokens, the encoding of the realtime models. Loading takes a quarter of a second of CPU and 60 MB,
 * so that it belongs into a thread.
 */
export async function loadTokenizer(): Promise<Tokenizer> {
  const { isWithinTokenLimit } = await import("gpt-tokenizer/encoding/o200k_base");
  // A mark of the model's own format is plain text here; counting it must not throw.
  const options = { disallowedSpecial: new Set<string>() };
  const count = (text: string, limit: number) => {
    const tokens = isWithinTokenLimit(text, limit, options);
    return tokens === false ? undefined : tokens;
  };
  return { count, countSection: remembering(count, REMEMBERED_CHARACTERS) };
}

/**
 * Counts the same text once, as far as it was counted: `count` stops at its limit. Forgets what was asked for longest
 * ago once it holds more than `maxCharacters`.
 */
export function remembering(count: Tokenizer["count"], maxCharacters: number): Tokenizer["count"] {
  /** The tokens of a text, or a number that they exceed. */
  const known = new Map<string, { readonly tokens?: number; readonly moreThan: number }>();
  let characters = 0;
  return (text, limit) => {
    let found = known.get(text);
    if (found) known.delete(text);
    else characters += text.length;
    if (!found || (found.tokens === undefined && found.moreThan < limit)) {
      const tokens = count(text, limit);
      found = tokens === undefined ? { moreThan: limit } : { tokens, moreThan: tokens - 1 };
    }
    known.set(text, found); // now the youngest
    for (const [oldest] of known) {
      if (characters <= maxCharacters) break;
      known.delete(oldest);
      characters -= oldest.length;
    }
    return found.tokens !== undefined && found.tokens <= limit ? found.tokens : undefined;
  };
}

/**
 * Text whose tokens can be counted in reasonable time: the work grows with the square of a run without a break
 * (32,000 equal letters take more than a second), so that runs which no prose has are broken by a space.
 */
export function tame(text: string): string {
  const plain = text
    .toWellFormed()
    .replace(/\s{100,}/g, "\n\n")
    .replaceAll("<|", "‹|");
  // Compiling the classes of all letters takes 10 ms, which the first call need not wait for prose.
  return /\S{300}/.test(plain) ? plain.replace(/[\p{L}\p{M}]{300}|[^\s\p{L}\p{N}]{300}/gu, "$& ") : plain;
}
