/**
 * Finds whether a text mentions somebody. Of a telephone number its digits are looked for, because others write it
 * without the plus; they are not found within a longer number.
 */
export function mentionFinder(names: readonly string[]): (text: string) => boolean {
  const patterns = names.filter((name) => name !== "").map(patternOf);
  if (patterns.length === 0) return () => false;
  const any = new RegExp(patterns.join("|"));
  return (text) => any.test(text);
}

// --- Internal helpers ---

function patternOf(name: string): string {
  if (/^\+?\d+$/.test(name)) return `(?<!\\d)${name.replace("+", "")}(?!\\d)`;
  return name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
