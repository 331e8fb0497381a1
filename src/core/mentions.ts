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

/** A value that JSON holds, with `…` for a number wherever a text in it mentions it. */
export function blotted<Value>(value: Value, number: string): Value {
  if (typeof value === "string") return value.replace(new RegExp(`\\+?${patternOf(number)}`, "g"), "…") as Value;
  if (Array.isArray(value)) return value.map((one) => blotted(one, number)) as Value;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, blotted(one, number)])) as Value;
}

/** Whether somewhere in a value that JSON holds a text is one of these names and nothing else. */
export function isNamed(value: unknown, names: readonly string[]): boolean {
  if (typeof value === "string")
    return names.some((name) => value === name || value === name.replace(/^\+(?=\d+$)/, ""));
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some((one) => isNamed(one, names));
}

// --- Internal helpers ---

function patternOf(name: string): string {
  if (/^\+?\d+$/.test(name)) return `(?<!\\d)${name.replace("+", "")}(?!\\d)`;
  return name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
