import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { missingOptions, servingOptions } from "../../src/cli/node-options.ts";

test("Node knows the options of a process that holds calls, on one core and on several", () => {
  for (const cores of [1, 8]) {
    expect(spawnSync(process.execPath, [...servingOptions(cores), "--version"]).status, `${cores} cores`).toBe(0);
  }
});

test("the collector's threads help where they have a core to do it on", () => {
  expect([1, 2, 8].filter((cores) => servingOptions(cores).includes("--single-threaded-gc"))).toEqual([1]);
});

describe("what a process was started with already", () => {
  const wanted = ["--max-semi-space-size=2", "--single-threaded-gc"];
  const missing = (execArgv: string[], nodeOptions?: string) =>
    missingOptions(wanted, { execArgv, env: { NODE_OPTIONS: nodeOptions } });

  test("nothing", () => {
    expect(missing([])).toEqual(wanted);
    expect(missing(["--inspect"], "--no-warnings --max-old-space-size=300")).toEqual(wanted);
  });

  test.each([
    [["--max-semi-space-size=64"], undefined, ["--single-threaded-gc"]],
    [[], "--no-warnings  --max_semi_space_size=64", ["--single-threaded-gc"]],
    [["--no-single-threaded-gc"], undefined, ["--max-semi-space-size=2"]],
    [["--single_threaded_gc"], "--max-semi-space-size=1", []],
  ])("%j and %j are left as they are", (execArgv, nodeOptions, left) => {
    expect(missing(execArgv, nodeOptions)).toEqual(left);
  });

  test("started over with what was missing, nothing is", () => {
    fc.assert(
      fc.property(fc.subarray([...wanted, "--inspect=0", "--no_single_threaded_gc"]), (execArgv) => {
        expect(missing([...missing(execArgv), ...execArgv])).toEqual([]);
      }),
    );
  });
});
