import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The repository's root. */
export const projectDir = fileURLToPath(new URL("../../..", import.meta.url));

/** The environment of this process with the running Node first on PATH, so that npm's children use it too. */
export function nodeFirstEnv(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}` };
}

/**
 * Builds the package and packs it as `npm publish` would, in a folder beside the repository's own `dist`,
 * so that other tests may build at the same time. Resolves to the tarball's path.
 */
export async function packPackage(workDir: string): Promise<string> {
  const stage = join(workDir, "package");
  await mkdir(stage, { recursive: true });
  const manifest = JSON.parse(await readFile(join(projectDir, "package.json"), "utf8")) as { files: string[] };
  for (const file of ["package.json", "README.md", "LICENSE", ...manifest.files.filter((name) => name !== "dist")]) {
    if (!existsSync(join(projectDir, file))) continue; // npm leaves out what is not there; so do we
    await cp(join(projectDir, file), join(stage, file), { recursive: true });
  }
  const tsup = join(projectDir, "node_modules/tsup/dist/cli-default.js");
  await run(process.execPath, [tsup, "--silent", "--no-dts", "--out-dir", join(stage, "dist")], { cwd: projectDir });
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", workDir], {
    cwd: stage,
    env: nodeFirstEnv(),
  });
  const [packed] = JSON.parse(stdout) as [{ filename: string }];
  return join(workDir, packed.filename);
}
