/** A memory file with its front matter read. */
export interface MemoryText {
  readonly body: string;
  /** Whether the file may be used on calls: `voice: false` in its front matter keeps it out. */
  readonly voice: boolean;
}

/** Front matter beyond this is no front matter: parsing YAML takes time that a caller waits. */
const MAX_FRONT_MATTER = 16_384;

/**
 * Reads a file's front matter as data. A block in a language that runs is refused, never run: gray-matter evaluates
 * `---js` blocks unless its engine is replaced (CVE-2022-25863; only the name `javascript` catches every alias).
 * @throws Error the block is not data, not YAML or JSON, or too long; the message says which
 */
export async function readFrontMatter(text: string): Promise<MemoryText> {
  if (!/^---(?!-)/.test(text)) return { body: text, voice: true };
  const end = text.indexOf("\n---", 3);
  if (end > MAX_FRONT_MATTER || (end === -1 && text.length > MAX_FRONT_MATTER)) {
    throw new Error(`its front matter is longer than ${MAX_FRONT_MATTER} characters`);
  }
  const [{ default: matter }, { parse }] = await Promise.all([import("gray-matter"), import("yaml")]);
  const { content, data } = matter(text, {
    engines: {
      yaml: { parse: (block: string) => parse(block, { logLevel: "error" }) ?? {} },
      javascript: { parse: refuse },
      coffee: { parse: refuse },
    },
  });
  return { body: content, voice: (data as Record<string, unknown> | undefined)?.["voice"] !== false };
}

// --- Internal helpers ---

function refuse(): never {
  throw new Error("its front matter is code, and files are data: it was not run");
}
