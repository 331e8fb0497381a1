import { constants } from "node:fs";
import { open, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";

/** Where a workspace file is. An absent one is normal: most agents have no MEMORY.md. */
export type FoundFile =
  | {
      readonly kind: "found";
      /** Without links. */
      readonly path: string;
      /** Changes with the file: device, inode, size and both times. */
      readonly stamp: string;
      /** Milliseconds since the epoch by the file system's clock, the later of both times. */
      readonly changedAtMs: number;
    }
  | { readonly kind: "absent" }
  | { readonly kind: "refused"; readonly reason: string };

/** What reading a file came to. `failed`: the next try may succeed though the file stays as it is. */
export type ReadFile =
  | { readonly kind: "read"; readonly text: string; readonly bytes: number }
  | { readonly kind: "absent" }
  | { readonly kind: "refused" | "failed"; readonly reason: string; readonly bytes: number };

/** Larger files are no notes. */
export const MAX_FILE_BYTES = 2 * 1024 * 1024;

/** Looks for a file of the workspace, without opening it. Refuses what lies outside. Never rejects. */
export async function findWorkspaceFile(workspaceDir: string, name: string): Promise<FoundFile> {
  try {
    const path = await insideWorkspace(workspaceDir, name);
    if (path === undefined) return { kind: "refused", reason: "it is a link to a place outside the workspace" };
    const { dev, ino, size, mtimeNs, ctimeNs, mtimeMs, ctimeMs } = await stat(path, { bigint: true });
    return {
      kind: "found",
      path,
      stamp: [dev, ino, size, mtimeNs, ctimeNs].join(":"),
      changedAtMs: Math.max(Number(mtimeMs), Number(ctimeMs)),
    };
  } catch (error) {
    return isAbsent(error) ? { kind: "absent" } : { kind: "refused", reason: unreadable(error) };
  }
}

/** Reads a text file as data. Refuses what is no plain file, is too large or not UTF-8. Never rejects. */
export async function readText(path: string): Promise<ReadFile> {
  try {
    // A pipe would never open without O_NONBLOCK.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) return refused("it is not a plain file");
      if (stats.size > MAX_FILE_BYTES) return refused("it is larger than 2 MB", stats.size);
      return decode(await file.readFile());
    } finally {
      await file.close();
    }
  } catch (error) {
    return isAbsent(error) ? { kind: "absent" } : { kind: "failed", reason: unreadable(error), bytes: 0 };
  }
}

/** The file's real path, or `undefined` when it lies outside the workspace. Rejects when there is no such file. */
export async function insideWorkspace(workspaceDir: string, name: string): Promise<string | undefined> {
  const [root, path] = await Promise.all([realpath(workspaceDir), realpath(join(workspaceDir, name))]);
  const way = relative(root, path);
  return way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way) ? undefined : path;
}

// --- Internal helpers ---

function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
}

function unreadable(error: unknown): string {
  return `it could not be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
}

function refused(reason: string, bytes = 0): ReadFile {
  return { kind: "refused", reason, bytes };
}

function decode(bytes: Buffer): ReadFile {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (text.includes("\0")) return refused("it is not text", bytes.length);
    return { kind: "read", text, bytes: bytes.length };
  } catch {
    return refused("it is not UTF-8", bytes.length);
  }
}
