import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../src/cli/program.ts";
import { systemClock } from "../../src/core/clock.ts";
import { type Listener, openListener } from "../../src/http/listener.ts";
import { apiToken } from "../../src/http/token.ts";
import { LinesLogger, PUBLIC_URL, ScriptedCalls, ScriptedWebhooks } from "../http/desks.ts";
import { CapturedTerminal } from "./terminal.ts";

let dir: string;
let calls: ScriptedCalls;
let listener: Listener;
let terminal: CapturedTerminal;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "voice-cli-"));
  calls = new ScriptedCalls();
  calls.transcript = [{ id: "item_1", speaker: "agent", text: "Hello.", startMs: 500, heardMs: 700, cut: true }];
  listener = await openListener({
    host: "127.0.0.1",
    port: 0,
    apiToken: await apiToken(dir),
    publicUrl: PUBLIC_URL,
    calls,
    webhooks: new ScriptedWebhooks(),
    sessions: async () => [],
    logger: new LinesLogger(),
    clock: systemClock(),
  });
  terminal = new CapturedTerminal({ PORT: String(listener.port), OPENCLAW_VOICE_STATE_DIR: dir });
});
afterEach(async () => {
  await listener.close();
  await rm(dir, { recursive: true });
});

const run = (...args: string[]) => runCli(args, terminal);

async function* sound(...pieces: (string | Error)[]) {
  for (const piece of pieces) {
    if (piece instanceof Error) throw piece;
    yield Buffer.from(piece);
  }
}

test("transcript prints the call in the format that is asked for, as text unless told", async () => {
  expect(await run("transcript", "call_1")).toBe(0);
  expect(terminal.output.pop()).toMatch(/^Call call_1 .*\n\n\[00:00\.5\] Agent: Hello\. \[cut off\]$/);
  expect(await run("transcript", "call_1", "--format", "vtt")).toBe(0);
  expect(terminal.output.pop()).toMatch(/^WEBVTT\n\n1\n/);
  expect(await run("transcript", "call_1", "--json")).toBe(0);
  expect(JSON.parse(terminal.output.pop() as string)).toMatchObject({ entries: [{ text: "Hello." }] });
});

test("transcript of an unknown call fails, and an unknown format is misuse that names the known ones", async () => {
  expect(await run("transcript", "call_9")).toBe(1);
  expect(terminal.errors.pop()).toMatch(/There is no call call_9/);
  expect(await run("transcript", "call_1", "--format", "docx")).toBe(2);
  expect(terminal.errors.join("\n")).toMatch(/json, text, markdown, vtt/);
});

test("recording saves the sound whole", async () => {
  calls.recording = { sound: sound("RIFF", "more"), bytes: 8 };
  const file = join(dir, "call.wav");
  expect(await run("recording", "call_1", "--out", file)).toBe(0);
  expect(terminal.output).toEqual([`Saved 8 bytes in ${file}.`]);
  expect(await readFile(file, "latin1")).toBe("RIFFmore");
  calls.recording = { sound: sound("again"), bytes: 5 };
  expect(await run("recording", "call_1", "--out", file, "--json")).toBe(0);
  expect(JSON.parse(terminal.output[1] as string)).toEqual({ file, bytes: 5 });
});

test("recording leaves no file where there is no sound, or it breaks off", async () => {
  const file = join(dir, "call.wav");
  expect(await run("recording", "call_1", "--out", file)).toBe(1);
  expect(terminal.errors.pop()).toMatch(/Nothing of this call/);
  calls.recording = { sound: sound("RIFF", new Error("the disk is gone")), bytes: 8 };
  expect(await run("recording", "call_1", "--out", file)).toBe(1);
  expect(await readdir(dir)).toEqual(["api-token"]);
});
