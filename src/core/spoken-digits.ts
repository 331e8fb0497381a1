const DIGITS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    0: ["zero", "oh", "o", "nought", "null"],
    1: ["one", "eins"],
    2: ["two", "zwei", "zwo"],
    3: ["three", "drei"],
    4: ["four", "vier"],
    5: ["five", "fünf", "fuenf"],
    6: ["six", "sechs"],
    7: ["seven", "sieben"],
    8: ["eight", "acht"],
    9: ["nine", "niner", "neun"],
  }).flatMap(([digit, words]) => words.map((word) => [word, digit] as const)),
);

const REPEATS: ReadonlyMap<string, number> = new Map([
  ["double", 2],
  ["doppel", 2],
  ["triple", 3],
]);

/** Numbers beyond nine: whether "twenty three" is 23 or 20 and 3 cannot be told. */
const BIGGER =
  /^(?:ten|eleven|twelve|\p{L}+teen|\p{L}+ty|hundred|thousand|elf|zwölf|\p{L}*(?:zehn|zig|ßig|hundert|tausend))$/u;

/**
 * The digits that were said or keyed in, in any grouping: `12 34-56`, `one two three`, `oh double five`, `eins zwei`.
 * Other words are passed over. Undefined where digits are there that cannot be told for certain.
 */
export function readDigits(said: string): string | undefined {
  let digits = "";
  let times: number | undefined;
  for (const word of said
    .normalize("NFKC")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)) {
    const repeats = REPEATS.get(word);
    const read = /^[0-9]+$/.test(word) ? word : DIGITS.get(word);
    if (word === "") continue;
    if (times !== undefined) {
      if (read?.length !== 1) return undefined;
      digits += read.repeat(times);
      times = undefined;
    } else if (repeats !== undefined) {
      times = repeats;
    } else if (read !== undefined) {
      digits += read;
    } else if (/\p{N}/u.test(word) || BIGGER.test(word)) {
      return undefined;
    }
  }
  return times === undefined ? digits : undefined;
}
