import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defineConfig, type Options } from "tsup";

/** What users import; these have declarations. */
const doors = {
  index: "src/index.ts",
  testing: "src/testing/index.ts",
  openclaw: "src/hosts/openclaw/index.ts",
};

/** What a program runs or the host loads by name. */
const programs = {
  cli: "src/cli.ts",
  "setup-entry": "src/hosts/openclaw/setup-entry.ts",
  "secret-contract-api": "src/hosts/openclaw/secret-contract-api.ts",
  // A worker is started from a file of its own beside the file that starts it.
  "sqlite-worker": "src/stores/sqlite-worker.ts",
  "fill-worker": "src/calls/context/fill-worker.ts",
};

/*
 * Every package that we run with is built in and stands under `devDependencies`; only optional peers are not. OpenClaw
 * copies whatever a plugin has installed beside it, at every start, every command and every change of its
 * configuration, while all calls stand still: 19 s with these packages as dependencies, half a second without.
 */

type Plugin = NonNullable<Options["esbuildPlugins"]>[number];

/** `sdk.ts` loads parts of `twilio` when they are first needed, by a `require` that the bundler would not see. */
const lateTwilio: Plugin = {
  name: "late-twilio",
  setup(build) {
    build.onLoad({ filter: /carriers[/\\]twilio[/\\]sdk\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      if (!source.includes('load("twilio/'))
        throw new Error(`${path} no longer loads twilio the way this plugin expects`);
      return { loader: "ts", contents: source.replaceAll('load("twilio/', 'require("twilio/') };
    });
  },
};

/** Writes down whose code is built in, with their licences. */
const licences: Plugin = {
  name: "licences",
  setup(build) {
    build.initialOptions.metafile = true;
    build.onEnd(async ({ metafile }) => {
      const found = Object.keys(metafile?.inputs ?? {}).flatMap(
        (input) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? [],
      );
      const texts = [...new Set(found)].sort().map(licenceOf);
      const { outdir = "dist" } = build.initialOptions;
      await mkdir(outdir, { recursive: true });
      await writeFile(join(outdir, "THIRD_PARTY_LICENSES.txt"), (await Promise.all(texts)).join("\n\n"));
    });
  },
};

async function licenceOf(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const file = (await readdir(folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  const text = file && existsSync(join(folder, file)) ? await readFile(join(folder, file), "utf8") : "";
  return `${name} ${version} (${license})\n${"-".repeat(80)}\n${text.trim()}`;
}

export default defineConfig({
  entry: { ...doors, ...programs },
  dts: { entry: doors, resolve: ["eventemitter3"] },
  format: ["esm"],
  platform: "node",
  target: "node24",
  clean: true,
  splitting: true,
  // tsup would cut "node:" from "node:sqlite", which has no name without it.
  removeNodeProtocol: false,
  external: [/^openclaw(\/.*)?$/],
  esbuildPlugins: [lateTwilio, licences],
  // Built-in CommonJS packages ask for Node's own modules by `require`.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
});
