import { defineConfig } from "tsup";
import { BRIDGES } from "./messages.ts";

/** The bridges as JavaScript: a process in which Node strips types holds 20 MB more, which are nobody's. */
export default defineConfig({
  entry: {
    ...Object.fromEntries(BRIDGES.map((name) => [name, `bench/bridges/${name}.ts`])),
    // The least bridge keeps its journal by our store, whose worker is a file of its own.
    "sqlite-worker": "src/stores/sqlite-worker.ts",
  },
  format: ["esm"],
  platform: "node",
  target: "node24",
  splitting: true,
  skipNodeModulesBundle: true,
  // tsup would cut "node:" from "node:sqlite", which has no name without it.
  removeNodeProtocol: false,
});
