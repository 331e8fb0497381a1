import type { Tokenizer } from "./fill.ts";

/**
 * Counts o200k tokens, the encoding of the realtime models. Loading takes a quarter of a second of CPU and 60 MB,
 * so that it belongs into a thread.
 */
export async function loadTokenizer(): Promise<Tokenizer> {
  const { isWithinTokenLimit } = await import("gpt-tokenizer/encoding/o200k_base");
  // A mark of the model's own format is plain text here; counting it must not throw.
  const options = { disallowedSpecial: new Set<string>() };
  return {
    count(text, limit) {
      const tokens = isWithinTokenLimit(text, limit, options);
      return tokens === false ? undefined : tokens;
    },
  };
}

/**
 * Text whose tokens can be counted in reasonable time: the work grows with the square of a run without a break
 * (32,000 equal letters take more than a second), so that runs which no prose has are broken by a space.
 */
export function tame(text: string): string {
  return text
    .toWellFormed()
    .replace(/\s{100,}/g, "\n\n")
    .replace(/[\p{L}\p{M}]{300}|[^\s\p{L}\p{N}]{300}/gu, "$& ")
    .replaceAll("<|", "‹|");
}
