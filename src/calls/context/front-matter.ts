import type { Trust } from "../../core/events.ts";

/** What a memory file says about itself. */
export interface FrontMatter {
  /** Whether the file may be used on calls: `voice: false` keeps it out. */
  readonly voice: boolean;
  /** The least trust of those who may hear of it. It narrows what the file's name allows, and never widens it. */
  readonly audience: Exclude<Trust, "stranger">;
  /** Its place among the files of its kind: higher ones come first, 0 unless told. */
  readonly priority: number;
}

/** Front matter that cannot be trusted to say what it says. */
export interface BadFrontMatter {
  readonly reason: string;
}

/** Reads a block of front matter, its opening mark included, as data. Never throws. */
export type FrontMatterReader = (block: string) => FrontMatter | BadFrontMatter;

/** A file without front matter says this of itself. */
export const NO_FRONT_MATTER: FrontMatter = { voice: true, audience: "known", priority: 0 };

/** Front matter beyond this is no front matter: parsing YAML takes time that a caller waits. */
const MAX_FRONT_MATTER = 16_384;

/** Divides a file into its front matter, if it has any, and the rest. @throws Error the front matter is too long */
export function splitFrontMatter(text: string): { readonly block?: string; readonly body: string } {
  if (!/^---(?!-)/.test(text)) return { body: text };
  const end = text.indexOf("\n---", 3);
  if (end > MAX_FRONT_MATTER || (end === -1 && text.length > MAX_FRONT_MATTER)) {
    throw new Error(`its front matter is longer than ${MAX_FRONT_MATTER} characters`);
  }
  return end === -1 ? { block: text, body: "" } : { block: text.slice(0, end + 4), body: text.slice(end + 4) };
}

/**
 * Loads the parsers, which takes a tenth of a second of CPU. A block in a language that runs is refused, never run:
 * gray-matter evaluates `---js` blocks unless its engine is replaced (CVE-2022-25863; only the name `javascript`
 * catches every alias).
 */
export async function loadFrontMatterReader(): Promise<FrontMatterReader> {
  const [{ default: matter }, { parse }] = await Promise.all([import("gray-matter"), import("yaml")]);
  const engines = {
    yaml: { parse: (block: string) => parse(block, { logLevel: "error" }) ?? {} },
    javascript: { parse: refuse },
    coffee: { parse: refuse },
  };
  return (block) => {
    try {
      return said(matter(block, { engines }).data);
    } catch (error) {
      return { reason: (error as Error).message };
    }
  };
}

// --- Internal helpers ---

/** The words of YAML 1.1 for no, which are plain strings in 1.2. */
const NO = /^(?:false|no|off|n)$/i;

function said(data: unknown): FrontMatter | BadFrontMatter {
  if (typeof data !== "object" || data === null) return { reason: "its front matter has no names and values" };
  const { voice, audience = "known", priority } = data as Record<string, unknown>;
  if (audience !== "owner" && audience !== "known") {
    return { reason: `its front matter names an audience other than "owner" and "known"` };
  }
  return { voice: !NO.test(String(voice)), audience, priority: Number.isFinite(priority) ? Number(priority) : 0 };
}

function refuse(): never {
  throw new Error("its front matter is code, and files are data: it was not run");
}
