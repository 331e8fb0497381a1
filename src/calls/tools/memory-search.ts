import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type BadFrontMatter, type FrontMatter, NO_FRONT_MATTER, splitFrontMatter } from "../context/front-matter.ts";
import { sectionsOf } from "../context/sections.ts";
import { findWorkspaceFile, insideWorkspace, readText } from "../context/workspace-file.ts";

export interface MemorySearch {
  readonly workspaceDir: string;
  /** Words; sections that hold more of them come first. */
  readonly query: string;
  /** Reads a block of front matter as data. */
  readonly readFrontMatter: (block: string) => Promise<FrontMatter | BadFrontMatter>;
  readonly signal?: AbortSignal;
}

/** What is found in all. */
const MAX_CHARACTERS = 2_000;
/** The newest daily files that are looked into: more than a year of them. */
const MOST_FILES = 400;
const AT_ONCE = 16;

/**
 * Looks for words in MEMORY.md and memory/*.md: whole sections, each with its file, the best first, newer before older.
 * Files that are not for calls are left out, as are those that cannot be read. Empty when nothing is found.
 */
export async function searchMemory({ workspaceDir, query, readFrontMatter, signal }: MemorySearch): Promise<string> {
  const wanted = patternsOf(query);
  if (wanted.length === 0) return "";
  const names = ["MEMORY.md", ...(await notesOf(workspaceDir))];
  const found: Section[] = [];
  for (let from = 0; from < names.length; from += AT_ONCE) {
    signal?.throwIfAborted();
    const batch = names.slice(from, from + AT_ONCE);
    const texts = await Promise.all(batch.map((name) => sectionsIn(workspaceDir, name, wanted, readFrontMatter)));
    texts.forEach((sections, index) => {
      for (const text of sections) {
        const score = scoreOf(text, wanted);
        if (score > 0) found.push({ file: batch[index] as string, text, score });
      }
    });
  }
  // Sorting is stable: what is equally good stays in order, MEMORY.md first, then the newest day.
  return fitting(found.sort((a, b) => b.score - a.score));
}

// --- Internal helpers ---

interface Section {
  readonly file: string;
  readonly text: string;
  /** How many of the words it holds. */
  readonly score: number;
}

/** Names of the notes, the newest first: they are called by their day. */
async function notesOf(workspaceDir: string): Promise<readonly string[]> {
  try {
    const folder = await insideWorkspace(workspaceDir, "memory");
    if (folder === undefined) return [];
    const names = (await readdir(folder)).filter((name) => name.endsWith(".md"));
    return names
      .sort()
      .reverse()
      .slice(0, MOST_FILES)
      .map((name) => join("memory", name));
  } catch {
    return []; // most agents begin without notes
  }
}

async function sectionsIn(
  workspaceDir: string,
  name: string,
  wanted: readonly Wanted[],
  readFrontMatter: MemorySearch["readFrontMatter"],
): Promise<readonly string[]> {
  const file = await findWorkspaceFile(workspaceDir, name);
  if (file.kind !== "found") return [];
  const read = await readText(file.path);
  if (read.kind !== "read" || scoreOf(read.text, wanted) === 0) return [];
  try {
    const { block, body } = splitFrontMatter(read.text);
    const said = block === undefined ? NO_FRONT_MATTER : await readFrontMatter(block);
    return "reason" in said || !said.voice ? [] : sectionsOf(body, body.length).sections;
  } catch {
    return []; // front matter that cannot be read may say that the file is not for calls
  }
}

interface Wanted {
  readonly word: string;
  readonly atItsBeginning: RegExp;
}

function patternsOf(query: string): readonly Wanted[] {
  const words = new Set(query.toLowerCase().match(/[\p{L}\p{N}]{2,}/gu) ?? []);
  return [...words].map((word) => ({ word, atItsBeginning: new RegExp(`(?<![\\p{L}\\p{N}])${word}`, "u") }));
}

/** How many of the words it holds, be it as the beginning of longer ones: `flight` is in `flights`. */
function scoreOf(text: string, wanted: readonly Wanted[]): number {
  const lower = text.toLowerCase();
  // Looking for a plain string first is many times faster, and most notes hold none.
  return wanted.filter(({ word, atItsBeginning }) => lower.includes(word) && atItsBeginning.test(lower)).length;
}

/** Whole sections as far as they fit; of the very best one its beginning, when it is too long by itself. */
function fitting(found: readonly Section[]): string {
  let text = "";
  for (const { file, text: section } of found) {
    const entry = `[${file}]\n${section}`;
    const next = text === "" ? entry : `${text}\n\n${entry}`;
    if (next.length <= MAX_CHARACTERS) text = next;
  }
  const best = found[0];
  return text === "" && best ? `[${best.file}]\n${best.text}`.slice(0, MAX_CHARACTERS) : text;
}
