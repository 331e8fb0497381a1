import { defineConfig } from "tsup";

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

export default defineConfig({
  entry: { ...doors, ...programs },
  dts: { entry: doors },
  format: ["esm"],
  platform: "node",
  target: "node24",
  clean: true,
  splitting: true,
  sourcemap: true,
  // tsup would cut "node:" from "node:sqlite", which has no name without it.
  removeNodeProtocol: false,
  // The host hands its SDK to every plugin; a second copy inside ours would be another world.
  external: [/^openclaw(\/.*)?$/],
});
