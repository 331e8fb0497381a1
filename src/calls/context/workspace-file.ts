import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";

/** What reading a workspace file came to. An absent file is normal: most agents have no MEMORY.md. */
export type WorkspaceFile =
  | { readonly kind: "read"; readonly text: string; readonly bytes: number }
  | { readonly kind: "absent" }
  | { readonly kind: "refused"; readonly reason: string; readonly bytes: number };

/** Larger files are no notes. */
export const MAX_FILE_BYTES = 2 * 1024 * 1024;

/** Reads a text file of the workspace as data. Refuses what lies outside, is no plain file, is too large or not UTF-8. */
export async function readWorkspaceFile(workspaceDir: string, name: string): Promise<WorkspaceFile> {
  try {
    const path = await insideWorkspace(workspaceDir, name);
    if (path === undefined) return refused("it is a link to a place outside the workspace");
    // A pipe would never open without O_NONBLOCK.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) return refused("it is not a plain file");
      if (stats.size > MAX_FILE_BYTES) return refused("it is larger than 2 MB", stats.size);
      const bytes = await file.readFile();
      return decode(bytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "absent" };
    return refused(`it could not be read (${code ?? String(error)})`);
  }
}

/** The file's real path, or `undefined` when it lies outside the workspace. Rejects when there is no such file. */
export async function insideWorkspace(workspaceDir: string, name: string): Promise<string | undefined> {
  const [root, path] = await Promise.all([realpath(workspaceDir), realpath(join(workspaceDir, name))]);
  const way = relative(root, path);
  return way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way) ? undefined : path;
}

// --- Internal helpers ---

function refused(reason: string, bytes = 0): WorkspaceFile {
  return { kind: "refused", reason, bytes };
}

function decode(bytes: Buffer): WorkspaceFile {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (text.includes("\0")) return refused("it is not text", bytes.length);
    return { kind: "read", text, bytes: bytes.length };
  } catch {
    return refused("it is not UTF-8", bytes.length);
  }
}
