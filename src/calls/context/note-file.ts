import { constants } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { HostError } from "../../core/errors.ts";
import { insideWorkspace } from "./workspace-file.ts";

/** Appends notes to daily files: one after the other for each file, each one once. */
export class NoteFiles {
  readonly #queues = new Map<string, Promise<unknown>>();

  /**
   * Appends `block` unless the file has a line `mark` already. Durable when it resolves, with the file's path.
   * @throws HostError the file could not be written, or leads out of the workspace; trying again later is safe
   */
  async append(workspaceDir: string, day: string, mark: string, block: string): Promise<string> {
    const path = join(workspaceDir, "memory", `${day}.md`);
    const before = this.#queues.get(path);
    const mine = (before ?? Promise.resolve()).catch(() => undefined).then(() => write(workspaceDir, day, mark, block));
    this.#queues.set(path, mine);
    try {
      await mine;
      return path;
    } catch (cause) {
      if (cause instanceof HostError) throw cause;
      throw new HostError(`The note could not be written to ${path}. Check the workspace's rights and space.`, {
        cause,
      });
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

function outside(name: string): HostError {
  return new HostError(
    `${name} leads out of the workspace, so that no note is written. Replace the link by a folder or file.`,
  );
}
