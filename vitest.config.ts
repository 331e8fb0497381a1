import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What works in processes of its own, gateways and such that are killed, and waits for them: two side by side. */
const processes = ["test/host/**/*.test.ts", "test/durability/**/*.test.ts"];

/** Small files that take long: begun at the end, one would have the others wait for it. */
const LONG = ["situations", "sqlite", "sqlite-damage", "never-silent", "never-silent-waits", "demo", "load", "gateway"];
/** Two gateways do not start at the same time: that takes the whole machine for half a minute. */
const LAST = ["test/host/memory"];

class InTurn extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const isOf = (names: readonly string[]) => names.some((name) => moduleId.endsWith(`/${name}.test.ts`));
      return isOf(LONG) ? 0 : isOf(LAST) ? 2 : 1;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

/** Whole calls, by a clock that stands still with the process, and whatever else waits more than it works. */
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
    sequence: { sequencer: InTurn },
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
          exclude: ["**/node_modules/**"],
          maxWorkers: 3,
          testTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { name: "processes", include: processes, maxWorkers: 2, sequence: { groupOrder: 2 } },
      },
    ],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
