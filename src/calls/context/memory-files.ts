import { type BadFrontMatter, type FrontMatter, NO_FRONT_MATTER, splitFrontMatter } from "./front-matter.ts";
import { sectionsOf } from "./sections.ts";
import { tame } from "./tokenizer.ts";
import { findWorkspaceFile, readText } from "./workspace-file.ts";

/** A memory file, ready to be told. */
export interface MemoryFile {
  readonly bytes: number;
  readonly frontMatter: FrontMatter;
  /** Its front part. */
  readonly sections: readonly string[];
  /** Bytes of what comes after them. */
  readonly beyondBytes: number;
}

/** A memory file that cannot be used, and why. */
export interface RefusedFile {
  readonly reason: string;
  readonly bytes: number;
}

/** What the cache works with. */
export interface MemoryFilesParts {
  readonly readFrontMatter: (block: string) => Promise<FrontMatter | BadFrontMatter>;
  readonly read?: typeof readText;
  /** The clock that files are dated by: the machine's, which no other stands for. */
  readonly now?: () => number;
  /** How much text is kept. */
  readonly maxCharacters?: number;
}

interface Kept {
  readonly stamp: string;
  /** Whether a later change would show: a file that changes twice within one tick of its clock looks the same. */
  readonly settled: boolean;
  readonly file: Promise<MemoryFile | RefusedFile | undefined>;
  characters: number;
}

/** 16 MB at most; a workspace needs less than half of one at the usual budget. */
const KEPT_CHARACTERS = 8_000_000;
/** What an entry takes beside its text. */
const ENTRY_CHARACTERS = 500;
/** The coarsest clock of a common file system (FAT). */
const FILE_TICK_MS = 2_000;

/** Reads memory files, and keeps what came of it for as long as they stay the same. Whose file it is was decided before. */
export class MemoryFiles {
  readonly #readFrontMatter: MemoryFilesParts["readFrontMatter"];
  readonly #read: typeof readText;
  readonly #now: () => number;
  readonly #maxCharacters: number;
  /** By window and path, the one that was asked for longest ago first. */
  readonly #kept = new Map<string, Kept>();
  #characters = 0;

  constructor({ readFrontMatter, read = readText, now = Date.now, maxCharacters = KEPT_CHARACTERS }: MemoryFilesParts) {
    this.#readFrontMatter = readFrontMatter;
    this.#read = read;
    this.#now = now;
    this.#maxCharacters = maxCharacters;
  }

  /**
   * The file's first `window` characters in sections; `undefined` when there is no such file. Where the file lies is looked
   * at each time, so that a link out of the workspace is refused whatever was read before.
   * @throws NotRunningError closed meanwhile
   */
  async get(workspaceDir: string, name: string, window: number): Promise<MemoryFile | RefusedFile | undefined> {
    const found = await findWorkspaceFile(workspaceDir, name);
    if (found.kind === "absent") return undefined;
    if (found.kind === "refused") return { reason: found.reason, bytes: 0 };
    const key = `${window} ${found.path}`;
    const before = this.#kept.get(key);
    if (before?.settled && before.stamp === found.stamp) {
      this.#kept.delete(key);
      this.#kept.set(key, before); // now the youngest
      return before.file;
    }
    return this.#load(key, found.path, window, {
      stamp: found.stamp,
      settled: this.#now() - found.changedAtMs > FILE_TICK_MS,
    });
  }

  #load(key: string, path: string, window: number, state: Pick<Kept, "stamp" | "settled">): Kept["file"] {
    const file = this.#parse(path, window);
    const kept: Kept = { ...state, file: file.then(({ value }) => value), characters: ENTRY_CHARACTERS };
    this.#drop(key);
    this.#kept.set(key, kept);
    this.#characters += kept.characters;
    const settle = (characters: number | undefined) => {
      if (this.#kept.get(key) !== kept) return;
      if (characters === undefined) return this.#drop(key);
      kept.characters += characters;
      this.#characters += characters;
      for (const [oldest] of this.#kept) {
        if (this.#characters <= this.#maxCharacters) break;
        this.#drop(oldest);
      }
    };
    file.then(
      ({ value, lasting }) => settle(lasting ? charactersOf(value) : undefined),
      () => settle(undefined), // whoever asked is told
    );
    return kept.file;
  }

  #drop(key: string): void {
    this.#characters -= this.#kept.get(key)?.characters ?? 0;
    this.#kept.delete(key);
  }

  async #parse(path: string, window: number): Promise<{ value: Awaited<Kept["file"]>; lasting: boolean }> {
    const file = await this.#read(path);
    if (file.kind === "absent") return { value: undefined, lasting: false };
    if (file.kind !== "read") return { value: file, lasting: file.kind === "refused" };
    const refused = (reason: string) => ({ value: { reason, bytes: file.bytes }, lasting: true });
    let parts: ReturnType<typeof splitFrontMatter>;
    try {
      parts = splitFrontMatter(file.text);
    } catch (error) {
      return refused((error as Error).message);
    }
    const said = parts.block === undefined ? NO_FRONT_MATTER : await this.#readFrontMatter(parts.block);
    if ("reason" in said) return refused(said.reason);
    const { sections, rest } = sectionsOf(parts.body, window);
    return {
      value: {
        bytes: file.bytes,
        frontMatter: said,
        sections: sections.map((section) => ownCopy(tame(section))),
        beyondBytes: Buffer.byteLength(rest),
      },
      lasting: true,
    };
  }
}

// --- Internal helpers ---

function charactersOf(file: MemoryFile | RefusedFile | undefined): number {
  return file && "sections" in file ? file.sections.reduce((sum, { length }) => sum + length, 0) : 0;
}

/** A piece of a string keeps the whole in memory; a copy of it does not. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString();
}
