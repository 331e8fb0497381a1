/**
 * Somebody's words as one line of data: nothing in it can end the line, open a heading, a comment or a fence, close the quote,
 * or look like a mark of the model's own format. At most `maxCharacters` long; what is cut shows as `…`.
 */
export function quoteLine(words: string, maxCharacters: number): string {
  const line = words
    .toWellFormed()
    .replace(/[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .replaceAll("<", "‹")
    .replaceAll(">", "›")
    .replace(/["`]/g, "'")
    .trim();
  if (line.length <= maxCharacters) return line;
  return `${line
    .slice(0, Math.max(0, maxCharacters - 1))
    .toWellFormed()
    .replace(/\uFFFD$/, "")}…`;
}
