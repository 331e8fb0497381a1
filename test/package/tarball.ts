import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pack } from "../../scripts/pack.ts";

const run = promisify(execFile);

/** The repository's root. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** The packed package, unpacked in a project of its own beside the dependencies it asks for. */
export interface InstalledPackage {
  /** Where its files are. */
  readonly dir: string;
  /** Every file, relative and sorted, with the hashes in the names of shared pieces left out. */
  readonly files: readonly string[];
  /** Runs an ES module's text in plain Node as if it lay in the project; resolves to its output. */
  evaluate(code: string): Promise<string>;
  remove(): Promise<void>;
}

/**
 * Unpacks the tarball in `$VOICE_TARBALL`, which `npm test` has built already, or builds one. Only what `present`
 * names of the repository's installed packages is there for it to import.
 */
export async function installPackage(present: readonly string[]): Promise<InstalledPackage> {
  const work = await mkdtemp(join(tmpdir(), "voice-package-"));
  const tarball = process.env["VOICE_TARBALL"] ?? (await pack(work));
  const modules = join(work, "project", "node_modules");
  const dir = join(modules, "openclaw-voice-channel");
  await mkdir(dir, { recursive: true });
  await run("tar", ["-xzf", tarball, "--strip-components=1", "-C", dir]);
  for (const name of present) {
    if (name.includes("/")) await mkdir(join(modules, posix.dirname(name)), { recursive: true });
    await symlink(join(root, "node_modules", name), join(modules, name), "dir");
  }
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      posix
        .relative(dir, posix.join(entry.parentPath, entry.name))
        .replace(/-(?=[^.]*[A-Z0-9_])[\w-]{8}(?=\.)/, "-HASH"),
    );
  return {
    dir,
    files: [...new Set(files)].sort(),
    evaluate: async (code) => {
      const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code], {
        cwd: join(work, "project"),
        env: { PATH: process.env["PATH"] ?? "" },
      });
      return stdout.trim();
    },
    remove: () => rm(work, { recursive: true, force: true }),
  };
}
