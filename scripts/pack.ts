import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Builds the package with its declarations and packs it as `npm publish` would, inside `workDir`: the repository's
 * own `dist` stays as it is, so two runs never meet. Resolves to the tarball's path.
 */
export async function pack(workDir: string): Promise<string> {
  const stage = join(workDir, "package");
  await mkdir(stage, { recursive: true });
  const { files } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { files: string[] };
  for (const file of ["package.json", "README.md", "LICENSE", ...files.filter((name) => name !== "dist")]) {
    if (!existsSync(join(root, file))) continue; // npm leaves out what is not there; so do we
    await cp(join(root, file), join(stage, file), { recursive: true });
  }
  const tsup = join(root, "node_modules/tsup/dist/cli-default.js");
  await run(process.execPath, [tsup, "--silent", "--out-dir", join(stage, "dist")], { cwd: root });
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", workDir], {
    cwd: stage,
    env: { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}` },
  });
  const [packed] = JSON.parse(stdout) as [{ filename: string }];
  return join(workDir, packed.filename);
}
