/** Scripts that write no spaces between words: there, each character counts as one. */
const WORDS =
  /[[\p{L}\p{N}\p{M}]--[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]]+|[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/gv;
const RUNS = /[\p{L}\p{N}\p{M}]+/gu;
const ACCENTS = /[\u0300-\u036f]/g;

/** Characters of a snippet on each side of the word that was found. */
const AROUND = 70;

/**
 * The words of a text as they are searched for: letters and digits of any script, without accents, capitals and
 * ligatures. Whatever else stands between them separates them and is never found, so that no text of a person's means
 * anything to a search engine.
 */
export function wordsOf(text: string): string[] {
  const plain = text.normalize("NFKD").replace(ACCENTS, "").normalize("NFKC");
  // Through capitals, so that ß is ss; and before that from capitals, as ẞ stays itself there.
  return plain.toLowerCase().toUpperCase().toLowerCase().match(WORDS) ?? [];
}

/** Whether all of `wanted` stand somewhere in a text. Both as `wordsOf` gives them. */
export function holdsWords(words: readonly string[], wanted: readonly string[]): boolean {
  const there = new Set(words);
  return wanted.every((word) => there.has(word));
}

/** One line of a text around the first of these words; `…` stands where it was cut. */
export function snippetOf(text: string, wanted: readonly string[]): string {
  const found = [...text.matchAll(RUNS)].find(([run]) => wordsOf(run).some((word) => wanted.includes(word)));
  const at = found?.index ?? 0;
  const from = Math.max(0, at - AROUND);
  const to = at + (found?.[0].length ?? 0) + AROUND;
  const line = text
    .slice(from, to)
    .toWellFormed()
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
  return `${from > 0 ? "…" : ""}${line}${to < text.length ? "…" : ""}`;
}
