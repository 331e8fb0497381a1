/** Counts tokens as the model does. */
export interface Tokenizer {
  /** How many tokens the text has, or `undefined` when they are more than `limit`; then counting stopped early. */
  count(text: string, limit: number): number | undefined;
  /** As `count`, for text that comes again with the next call: what is known of it is not counted again. */
  countSection(text: string, limit: number): number | undefined;
}

/** Text that wants to be in the instructions. */
export interface Source {
  readonly name: string;
  /** Says what the sections are; stands before the first that fits. */
  readonly heading?: string;
  readonly sections: readonly string[];
  /** Bytes of the source that are in none of the sections, because they could not fit anyway. */
  readonly beyondBytes: number;
  /** Whether a part of a section is better than none of it: then it is cut at a word, otherwise left out whole. */
  readonly cut?: boolean;
  /** The most that it may take of what is left, from 0 to 1; all of it unless told. For sources without a share. */
  readonly most?: number;
  /**
   * What is kept for it, from 0 to 1, of what the sources without a share leave: so much it gets however large the
   * others are. What it does not take goes to the next sources, and what is left at the end back to the first.
   */
  readonly share?: number;
}

/** What is not in the instructions, and why. */
export interface Omission {
  readonly source: string;
  readonly bytes: number;
  readonly reason: string;
}

/** Instructions within their budget, and what became of each source. */
export interface Filled {
  readonly instructions: string;
  /** As counted; bytes where everything fits even if each byte were a token. */
  readonly tokens: number;
  readonly used: readonly { readonly source: string; readonly tokens: number }[];
  readonly omitted: readonly Omission[];
}

/** A section that is in, with the bytes of it that are. */
interface Part {
  readonly source: Source;
  readonly text: string;
  readonly tokens: number;
  readonly bytes: number;
}

const BETWEEN = "\n\n";

/**
 * Takes whole sections, source by source, until the budget is full; of each source the rest is cut from its end.
 * Never more than `budgetTokens`, counted over the whole text: its parts alone may count differently.
 */
export function fill(sources: readonly Source[], budgetTokens: number, tokenizer: Tokenizer): Filled {
  const parts = divide(sources, budgetTokens, tokenizer).flat();
  const textOf = () => parts.map(({ text }) => text).join(BETWEEN);
  let tokens = tokenizer.count(textOf(), budgetTokens);
  while (tokens === undefined && parts.pop()) tokens = tokenizer.count(textOf(), budgetTokens);
  return { instructions: textOf(), tokens: tokens ?? 0, ...report(sources, parts) };
}

const countBytes: Tokenizer["count"] = (text, limit) => {
  const bytes = Buffer.byteLength(text);
  return bytes <= limit ? bytes : undefined;
};
/** No text has more tokens than bytes: what fits by this fits, and nobody needs to load a tokeniser for it. */
const BYTES: Tokenizer = { count: countBytes, countSection: countBytes };

/** As `fill`, if everything fits whatever it counts; `undefined` when that takes counting. */
export function fillUncounted(sources: readonly Source[], budgetTokens: number): Filled | undefined {
  const filled = fill(sources, budgetTokens, BYTES);
  return filled.omitted.length === 0 ? filled : undefined;
}

// --- Internal helpers ---

/** What each source gets: first its share, then what others have left of theirs. */
function divide(sources: readonly Source[], budgetTokens: number, tokenizer: Tokenizer): Part[][] {
  let left = budgetTokens;
  let shared: number | undefined;
  let saved = 0;
  const taken: Part[][] = [];
  for (const source of sources) {
    shared ??= source.share === undefined ? undefined : left;
    const own = source.share === undefined ? left * (source.most ?? 1) : (shared ?? 0) * source.share + saved;
    const parts = take(source, Math.min(left, Math.floor(own)), tokenizer);
    const used = tokensOf(parts);
    if (source.share !== undefined) saved = Math.max(0, own - used);
    left -= used;
    taken.push(parts);
  }
  return sources.map((source, index) => {
    const before = taken[index] ?? [];
    if (source.share === undefined || before.length === source.sections.length) return before;
    const parts = take(source, tokensOf(before) + left, tokenizer);
    left -= tokensOf(parts) - tokensOf(before);
    return parts;
  });
}

function tokensOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { tokens }) => sum + tokens, 0);
}

function take(source: Source, limit: number, tokenizer: Tokenizer): Part[] {
  const parts: Part[] = [];
  let left = limit;
  for (const section of source.sections) {
    const lead = parts.length === 0 && source.heading !== undefined ? `${source.heading}\n` : "";
    // One more than counted: it pays for what joins the section to the next.
    const room = left - 1;
    const count = (text: string) => (room < 0 ? undefined : tokenizer.count(text, room));
    const text = source.cut ? cutToFit(lead, section, count) : lead + section;
    const tokens = source.cut || room < 0 ? count(text) : tokenizer.countSection(text, room);
    if (tokens === undefined || text === lead) break;
    parts.push({ source, text, tokens: tokens + 1, bytes: Buffer.byteLength(text) - Buffer.byteLength(lead) });
    left -= tokens + 1;
  }
  return parts;
}

/** The longest beginning of the section that counts, with its lead, cut at the end of a word or sentence. */
function cutToFit(lead: string, section: string, count: (text: string) => number | undefined): string {
  if (count(lead + section) !== undefined) return lead + section;
  const ends = [...section.matchAll(/\S(?=\s)|[。、！？]/gu)].map(({ index }) => index + 1);
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (count(lead + section.slice(0, ends[middle - 1])) === undefined) high = middle - 1;
    else low = middle;
  }
  return lead + (low === 0 ? "" : section.slice(0, ends[low - 1]));
}

function report(sources: readonly Source[], parts: readonly Part[]): Pick<Filled, "used" | "omitted"> {
  const totals = sources.map((source) => {
    const mine = parts.filter((part) => part.source === source);
    const offered = source.sections.reduce((sum, section) => sum + Buffer.byteLength(section), source.beyondBytes);
    return {
      source: source.name,
      tokens: tokensOf(mine),
      bytes: offered - mine.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  });
  return {
    used: totals.filter(({ tokens }) => tokens > 0).map(({ source, tokens }) => ({ source, tokens })),
    omitted: totals
      .filter(({ bytes }) => bytes > 0)
      .map(({ source, bytes }) => ({ source, bytes, reason: "the token budget is full" })),
  };
}
