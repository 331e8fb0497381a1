import { existsSync } from "node:fs";
import { defineConfig } from "tsup";

const entries = {
  index: "src/index.ts",
  cli: "src/cli.ts",
  testing: "src/testing/index.ts",
  openclaw: "src/hosts/openclaw/index.ts",
  "setup-entry": "src/hosts/openclaw/setup-entry.ts",
  "secret-contract-api": "src/hosts/openclaw/secret-contract-api.ts",
  // A worker is started from a file of its own beside the file that starts it.
  "sqlite-worker": "src/stores/sqlite-worker.ts",
  "fill-worker": "src/calls/context/fill-worker.ts",
};

export default defineConfig({
  entry: Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(file))),
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
