import { delimiter, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { pack } from "../../../scripts/pack.ts";

/** The repository's root. */
export const projectDir = fileURLToPath(new URL("../../..", import.meta.url));

/** The environment of this process with the running Node first on PATH, so that npm's children use it too. */
export function nodeFirstEnv(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}` };
}

/** The packed package: the one that this test run was given, or one made in `workDir`. */
export async function packedPackage(workDir: string): Promise<string> {
  return process.env["VOICE_TARBALL"] ?? pack(workDir);
}
