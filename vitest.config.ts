import { defineConfig } from "vitest/config";

/** Tests of the whole: a gateway, a packed package or real-time sound in each. Side by side they would only slow each other. */
const wholes = [
  "test/host/**/*.test.ts",
  "test/e2e/**/*.test.ts",
  "test/package/**/*.test.ts",
  "examples/**/*.test.ts",
];

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
        test: { name: "unit", include: ["test/**/*.test.ts"], exclude: wholes, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: { name: "whole", include: wholes, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
