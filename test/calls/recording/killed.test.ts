import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createReadStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buffer } from "node:stream/consumers";
import { expect, test } from "vitest";
import { openRecording, repair } from "../../../src/calls/recording/reader.ts";

test.each([
  ["a plain", undefined],
  ["an encrypted", randomBytes(32)],
])("case 40: %s recording whose process is killed with -9 opens up to the last second", async (_, secret) => {
  const stateDir = mkdtempSync(join(tmpdir(), "killed-"));
  const program = join(import.meta.dirname, "killed.ts");
  const child = spawn(process.execPath, [program, stateDir, ...(secret ? [secret.toString("hex")] : [])], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    let said = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      said = Number(line);
      if (said >= 120) child.kill("SIGKILL");
    }
    await ended;
    const path = join(stateDir, "recordings", "call_1", secret ? "rec_1.sealed" : "rec_1.wav");
    const facts = await repair(path);
    const frames = facts.plainBytes / 320;
    expect(facts).toMatchObject({ encrypted: secret !== undefined, finished: false });
    expect(frames).toBeGreaterThanOrEqual(said - 50);
    const opened = await openRecording(createReadStream(path), secret && [{ id: "k1", secret }]);
    const sound = await buffer(opened.plain);
    await opened.close();
    expect(sound.length).toBe(facts.plainBytes);
    const caller = Array.from({ length: Math.floor(frames) }, (_, n) => sound[n * 320]);
    const first = caller.indexOf(1);
    expect(caller.slice(first)).toEqual(Array.from({ length: caller.length - first }, (_, n) => (n + 1) % 100));
    if (!secret) expect(await repair(path)).toMatchObject({ finished: true, plainBytes: facts.plainBytes });
  } finally {
    child.kill("SIGKILL");
    await ended;
    rmSync(stateDir, { recursive: true, force: true });
  }
});
