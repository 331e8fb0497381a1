import { defineConfig } from "vitest/config";

/** Sound that is judged, and a gateway that is only asked things: two side by side leave each a core. */
const sounds = [
  "test/e2e/{consult,demo,load,never-silent,quality,silence,sound,wire}.test.ts",
  "test/host/memory.test.ts",
];

/** Waits that are counted. */
const alone = ["test/e2e/never-silent-waits.test.ts"];

/** Whole calls inside a gateway, beside processes that are killed: both wait more than they work. */
const processes = ["test/host/gateway.test.ts", "test/durability/**/*.test.ts"];

/** Whole calls, and whatever else waits more than it works: three files side by side do not slow each other. */
const calls = ["test/e2e/**/*.test.ts", "test/package/**/*.test.ts", "examples/**/*.test.ts"];

export default defineConfig({
  resolve: {
    // Examples name the package as its users do.
    alias: [
      { find: /^openclaw-voice-channel$/, replacement: `${import.meta.dirname}/src/index.ts` },
      { find: /^openclaw-voice-channel\/testing$/, replacement: `${import.meta.dirname}/src/testing/index.ts` },
    ],
  },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/{host,e2e,package,durability}/**"],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "calls",
          include: calls,
          exclude: ["**/node_modules/**", ...sounds, ...alone],
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      { extends: true, test: { name: "sounds", include: sounds, maxWorkers: 2, sequence: { groupOrder: 2 } } },
      { extends: true, test: { name: "alone", include: alone, maxWorkers: 1, sequence: { groupOrder: 3 } } },
      {
        extends: true,
        test: { name: "processes", include: processes, maxWorkers: 2, sequence: { groupOrder: 4 } },
      },
    ],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
