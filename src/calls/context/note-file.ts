import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HostError } from "../../core/errors.ts";
import { findNotes, withNotes } from "./note-removal.ts";
import { insideWorkspace } from "./workspace-file.ts";

/** A note of a call, and the day whose file holds it. */
export interface DayNote {
  readonly callId: string;
  /** As daily files are named: `2026-03-01`. */
  readonly day: string;
  readonly text: string;
}

/** What becomes of a note. */
export type NoteChange = (note: DayNote) => string | undefined;

/** So often a file is read again that somebody else changed while it was rewritten. */
const REWRITES = 10;

/** Appends notes to daily files: one after the other for each file, each one once. */
export class NoteFiles {
  readonly #queues = new Map<string, Promise<unknown>>();

  /**
   * Appends `block` unless the file has a line `mark` already. Durable when it resolves, with the file's path.
   * @throws HostError the file could not be written, or leads out of the workspace; trying again later is safe
   */
  async append(workspaceDir: string, day: string, mark: string, block: string): Promise<string> {
    const path = join(workspaceDir, "memory", `${day}.md`);
    await this.#inTurn(path, () => write(workspaceDir, day, mark, block));
    return path;
  }

  /** All notes of calls in a workspace's daily files. @throws HostError a file could not be read */
  async list(workspaceDir: string): Promise<readonly DayNote[]> {
    const notes: DayNote[] = [];
    for (const { day, path } of await dailyFiles(workspaceDir)) {
      const found = await this.#inTurn(path, async () => findNotes(await readPlain(path)));
      notes.push(...found.map(({ callId, text }) => ({ callId, day, text })));
    }
    return notes;
  }

  /**
   * Rewrites notes: each becomes what `change` makes of it, and nothing stays of one for which that is `undefined`. The
   * files keep every other byte; one that held nothing else is removed. Durable when it resolves, with how many notes
   * were changed. @throws HostError a file could not be rewritten
   */
  async change(workspaceDir: string, change: NoteChange): Promise<number> {
    let changed = 0;
    for (const { day, path } of await dailyFiles(workspaceDir))
      changed += await this.#inTurn(path, () => rewrite(path, (note) => change({ ...note, day })));
    return changed;
  }

  /** One thing after the other is done to a file. @throws HostError */
  async #inTurn<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#queues.get(path);
    const mine = (before ?? Promise.resolve()).catch(() => undefined).then(work);
    this.#queues.set(path, mine);
    try {
      return await mine;
    } catch (cause) {
      if (cause instanceof HostError) throw cause;
      throw new HostError(`${path} could not be read or written. Check the workspace's rights and space.`, { cause });
    } finally {
      if (this.#queues.get(path) === mine) this.#queues.delete(path);
    }
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#queues.values());
  }
}

// --- Internal helpers ---

async function write(workspaceDir: string, day: string, mark: string, block: string): Promise<void> {
  await mkdir(join(workspaceDir, "memory"), { recursive: true });
  const folder = await insideWorkspace(workspaceDir, "memory");
  if (folder === undefined) throw outside("memory");
  const path = join(folder, `${day}.md`);
  const inside = await insideWorkspace(workspaceDir, join("memory", `${day}.md`)).catch((error) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return path; // new today
    throw error;
  });
  if (inside === undefined) throw outside(`memory/${day}.md`);
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(inside, flags, 0o600);
  try {
    if (!(await file.stat()).isFile()) throw new HostError(`memory/${day}.md is not a plain file. Move it away.`);
    await appendOnce(file, mark, block);
  } finally {
    await file.close();
  }
}

async function appendOnce(file: FileHandle, mark: string, block: string): Promise<void> {
  const there = await file.readFile();
  const text = there.toString("utf8");
  const gap = text === "" ? "" : text.endsWith("\n") ? "\n" : "\n\n";
  const isThere = text.split(/\r?\n/).includes(mark);
  const missing = isThere ? restOf(there, mark, Buffer.from(block)) : Buffer.from(gap + block);
  if (missing.length === 0) return;
  await file.appendFile(missing);
  await file.sync();
}

/** What is missing of a block that a full disk or a loss of power cut off at the file's end; usually nothing. */
function restOf(there: Buffer, mark: string, block: Buffer): Buffer {
  const begun = there.subarray(there.lastIndexOf(mark));
  const isCutOff = begun.length < block.length && block.subarray(0, begun.length).equals(begun);
  return isCutOff ? block.subarray(begun.length) : Buffer.alloc(0);
}

/** The daily files that are there; a rewriting that was cut off leaves nothing. */
async function dailyFiles(workspaceDir: string): Promise<readonly { readonly day: string; readonly path: string }[]> {
  const folder = await insideWorkspace(workspaceDir, "memory").catch((error) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return ""; // no note was ever written
    throw new HostError(`The folder memory in ${workspaceDir} could not be read.`, { cause: error });
  });
  if (folder === undefined) throw outside("memory");
  const names = folder === "" ? [] : (await readdir(folder)).sort();
  for (const name of names) if (LEFT_OVER.test(name)) await rm(join(folder, name), { force: true });
  return names.filter((name) => DAILY.test(name)).map((name) => ({ day: name.slice(0, -3), path: join(folder, name) }));
}

const DAILY = /^\d{4}-\d\d-\d\d\.md$/;
const LEFT_OVER = /^\.\d{4}-\d\d-\d\d\.md\.voice$/;

/** A link or a pipe has no bytes of ours. */
async function readPlain(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error) => {
    if (["ELOOP", "ENOENT"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  });
  if (!file) return Buffer.alloc(0);
  try {
    return (await file.stat()).isFile() ? await file.readFile() : Buffer.alloc(0);
  } finally {
    await file.close();
  }
}

/** Writes the file anew beside itself and puts it in its place, unless somebody has changed it meanwhile. */
async function rewrite(
  path: string,
  change: (note: { readonly callId: string; readonly text: string }) => string | undefined,
): Promise<number> {
  for (let attempt = 0; attempt < REWRITES; attempt++) {
    const before = await stampOf(path);
    const bytes = await readPlain(path);
    const all = findNotes(bytes).map((note) => [note, change({ callId: note.callId, text: note.text })] as const);
    const due = all.filter(([note, text]) => text !== note.text);
    if (due.length === 0) return 0;
    const rest = withNotes(bytes, new Map(due));
    const beside = join(dirname(path), `.${path.slice(dirname(path).length + 1)}.voice`);
    await writeDurably(beside, rest, (await stat(path)).mode & 0o777);
    if ((await stampOf(path)) !== before) continue;
    if (rest.length === 0) await Promise.all([rm(beside), rm(path)]);
    else await rename(beside, path);
    await syncFolder(dirname(path));
    return due.length;
  }
  throw new HostError(`${path} is changed all the time: its notes could not be taken out. Try again later.`);
}

async function stampOf(path: string): Promise<string> {
  const { ino, size, mtimeNs } = await stat(path, { bigint: true });
  return [ino, size, mtimeNs].join(":");
}

async function writeDurably(path: string, bytes: Buffer, mode: number): Promise<void> {
  await rm(path, { force: true });
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function outside(name: string): HostError {
  return new HostError(
    `${name} leads out of the workspace, so that no note is written. Replace the link by a folder or file.`,
  );
}
