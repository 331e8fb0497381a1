import { defineConfig } from "vitest/config";

/** Whole calls, and whatever else waits more than it works: three files side by side do not slow each other. */
const calls = [
  "test/e2e/{afterwards,agent-brain,answers,ask-owner,attestation,call,call-tools,context-refresh,conversation,dtmf,examples,inbound,leak,media,openai-webhook,outbound,owner-code}.test.ts",
  "test/package/**/*.test.ts",
  "test/host/memory.test.ts",
  "examples/**/*.test.ts",
];

/** Tests of the whole: a gateway, many calls at once or sound that is judged in each. One beside another leaves each a core. */
const wholes = [
  "test/host/gateway.test.ts",
  "test/e2e/{consult,demo,load,never-silent,never-silent-waits,quality,silence,sound,wire}.test.ts",
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
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/host/**", "test/e2e/**", "test/package/**"],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: "calls", include: calls, maxWorkers: 3, sequence: { groupOrder: 1 } } },
      {
        extends: true,
        test: { name: "whole", include: wholes, maxWorkers: 2, sequence: { groupOrder: 2 } },
      },
    ],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
