import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DemoResult } from "../../src/demo/index.ts";
import { longestSilenceMs } from "./silence.ts";

const root = join(import.meta.dirname, "../..");

describe("the demo, as a new user starts it", () => {
  let folder: string;
  let printed: string;
  let result: DemoResult;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "voice-demo-"));
    const args = [join(root, "src/cli.ts"), "demo", "--out", join(folder, "out"), "--json"];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: folder, timeout: 60_000 });
    expect(stderr).toBe("");
    printed = stdout;
    result = JSON.parse(stdout.trim().split("\n").at(-1) as string) as DemoResult;
  }, 70_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("holds a whole call: greeted, asked, interrupted once, hung up by the caller", () => {
    const said = result.transcript.map(
      ({ speaker, text }) => `${speaker}: ${text.toLowerCase().replace(/[^a-z ]/g, "")}`,
    );
    expect(result).toMatchObject({ endReason: "caller_hangup", turns: 8 });
    expect(said.map((line) => line.split(":")[0])).toEqual([
      ...["agent", "caller", "agent", "agent", "caller", "agent", "caller", "agent"],
    ]);
    expect(said[0]).toBe("agent: hello this is nia how can i help you");
    expect(said[1]).toBe("caller: when does my flight leave tomorrow");
    expect(said[3]).toMatch(/^agent: your flight to san francisco leaves tomorrow/);
    expect(said[3]).not.toContain("breakfast"); // the interruption cut it
    expect(said[5]).toBe("agent: it leaves from terminal two");
  });

  test("prints the conversation as it happens, with times and what was interrupted", () => {
    expect(printed).toMatch(/\d\.\d s {2}Nia: {4}Hello, this is Nia/);
    expect(printed).toMatch(/\d\.\d s {2}Caller: /);
    expect(printed.match(/\(interrupted\)/g)).toHaveLength(1);
    const times = [...printed.matchAll(/^ *(\d+\.\d) s {2}/gm)].map(([, seconds]) => Number(seconds));
    expect(times.length).toBeGreaterThanOrEqual(11); // eight lines of speech, answered, asked, hung up
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(printed).toContain(result.ears === "pocketsphinx" ? "pocketsphinx" : "No recogniser is installed");
  });

  test("the longest silence agrees with the recording, and nobody waits longer than two seconds", async () => {
    const measured = longestSilenceMs(await readFile(result.files.recording));
    expect(Math.abs(result.longestSilenceMs - measured)).toBeLessThanOrEqual(40);
    expect(measured).toBeLessThanOrEqual(2_000);
  });

  test("leaves the transcript, the memory before and after, and what it would have cost", async () => {
    const read = (file: keyof DemoResult["files"]) => readFile(result.files[file], "utf8");
    const [before, after, transcript] = [
      await read("memoryBefore"),
      await read("memoryAfter"),
      await read("transcript"),
    ];
    expect(after.startsWith(before)).toBe(true);
    expect(after).toContain(`voice:${result.callId}`);
    expect(JSON.parse(transcript)).toMatchObject({ callId: result.callId, costUsd: result.costUsd });
    expect(result.costUsd).toBeGreaterThan(0);
  });
});
