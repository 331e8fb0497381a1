import { randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import type { RecordingHandle } from "../../../src/calls/recording/writer.ts";
import { handClock } from "../clock.ts";
import { SETTINGS, studio } from "./studio.ts";

const KEYS = [{ id: "k1", secret: randomBytes(32) }] as const;
const CALLER = new Uint8Array(160).fill(5);
const AGENT = new Uint8Array(800).fill(105);

/** Calls that are recorded at the same time, for a time of their clock that passes as fast as the disk takes it. */
async function record(calls: number) {
  const clock = handClock();
  let writing = 0;
  const openFile = async (path: string): Promise<RecordingHandle> => {
    const file = await open(path, "wx", 0o600);
    const write = async (...args: Parameters<typeof file.write>) => {
      writing += 1;
      return file.write(...args).finally(() => {
        writing -= 1;
      });
    };
    return { write: write as typeof file.write, sync: () => file.sync(), close: () => file.close() };
  };
  const all = await Promise.all(
    Array.from({ length: calls }, (_, n) =>
      studio({ clock, callId: `call_${n}`, settings: { ...SETTINGS, keys: KEYS }, parts: { openFile } }),
    ),
  );
  for (const { recording } of all) await recording.start();
  return {
    /** Each side talks all the time; frames and pieces come as a carrier and a bridge have them. */
    async pass(seconds: number) {
      for (let frame = 0; frame < seconds * 50; frame++) {
        clock.pass(20);
        const nowMs = clock.now();
        for (const { recording } of all) {
          recording.callerFrame(CALLER, nowMs);
          if (frame % 5 === 0) recording.agentPlays([{ itemId: "a", audio: AGENT, startsAtMs: nowMs + 100 }]);
        }
        if (frame % 20 === 0)
          do await new Promise(setImmediate);
          while (writing > 0);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const one of all) {
        expect((await one.told()).failed).toEqual([]);
        await one[Symbol.asyncDispose]();
      }
    },
  };
}

test("a recording costs less than 1 % of a core a call, encryption and disk included", async () => {
  await using calls = await record(20);
  await calls.pass(10);
  const before = process.cpuUsage();
  await calls.pass(30);
  const { user, system } = process.cpuUsage(before);
  const percent = ((user + system) / 1e6 / (20 * 30)) * 100;
  expect(percent, "percent of a core").toBeLessThan(1); // 0.07 when this was written
});

test("a recording takes the same memory however long the call is", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const used = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  await using calls = await record(1);
  await calls.pass(120);
  const early = used();
  await calls.pass(1_200);
  expect(used() - early).toBeLessThan(5_000_000); // twenty minutes are 19 MB
});
