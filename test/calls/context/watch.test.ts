import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FileWatch, LOOK_EVERY_MS } from "../../../src/calls/context/watch.ts";
import type { Trust } from "../../../src/core/events.ts";
import { silentLogger } from "../../../src/logger.ts";
import { type HandClock, handClock } from "../clock.ts";

const EVENING = Date.UTC(2026, 2, 15, 23, 59, 50);

let dir: string;
let clock: HandClock;
let errors: string[];
let watch: FileWatch;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "voice-watch-"));
  clock = handClock(EVENING);
  errors = [];
  watch = new FileWatch({ clock, logger: { ...silentLogger, error: (message) => errors.push(message) } });
});
afterEach(async () => {
  watch.close();
  expect(clock.running).toBe(0);
  await rm(dir, { recursive: true });
});

async function put(name: string, text: string): Promise<void> {
  await mkdir(dirname(join(dir, name)), { recursive: true });
  await writeFile(join(dir, name), text);
}

const request = (trust: Trust) => ({ workspaceDir: dir, trust, dailyFiles: 2, timeZone: "UTC" });

/** A call that is told of changes, and waits for the next one. */
async function call(trust: Trust) {
  const told: (readonly string[])[] = [];
  const leave = new AbortController();
  let wake = () => {};
  const onChange = (files: readonly string[]) => {
    told.push(files);
    wake();
  };
  await watch.add(request(trust), onChange, leave.signal);
  // A look that falls into another one is left out.
  const next = async () => {
    let isTold = false;
    wake = () => {
      isTold = true;
    };
    while (!isTold) {
      clock.pass(LOOK_EVERY_MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { told, leave, next };
}

test("each call is told of the files that it may use, and of no others", async () => {
  await put("MEMORY.md", "one");
  const [owner, known, stranger] = [await call("owner"), await call("known"), await call("stranger")];
  await put("MEMORY.md", "two, longer");
  await put("memory/2026-03-15.md", "a new note");
  await put("memory/2026-01-01.md", "of another day");
  await owner.next();
  expect(owner.told).toEqual([["MEMORY.md", "memory/2026-03-15.md"]]);
  await put("SOUL.md", "kinder");
  await known.next();
  expect([known.told, owner.told[1], stranger.told]).toEqual([[["SOUL.md"]], ["SOUL.md"], []]);
});

test("a file that is replaced, removed, or comes by a link counts as changed", async () => {
  await put("MEMORY.md", "one");
  await put("notes/user.md", "tea");
  const { told, next } = await call("owner");
  await put("new.md", "one");
  await rename(join(dir, "new.md"), join(dir, "MEMORY.md"));
  await next();
  await rm(join(dir, "MEMORY.md"));
  await next();
  await symlink("notes/user.md", join(dir, "USER.md"));
  await next();
  await put("notes/user.md", "coffee");
  await next();
  expect(told).toEqual([["MEMORY.md"], ["MEMORY.md"], ["USER.md"], ["USER.md"]]);
});

test("past midnight the new day's file is watched, and the day itself is no change", async () => {
  await put("memory/2026-03-15.md", "today");
  const { told, next } = await call("owner");
  clock.pass(30_000);
  await put("memory/2026-03-16.md", "tomorrow");
  await next();
  expect(told).toEqual([["memory/2026-03-16.md"]]);
});

test("a hundred calls of a workspace share one timer, which ends with the last of them", async () => {
  const calls = await Promise.all(Array.from({ length: 100 }, () => call("owner")));
  expect(clock.running).toBe(1);
  for (const { leave } of calls.slice(1)) leave.abort();
  expect(clock.running).toBe(1);
  calls[0]?.leave.abort();
  expect(clock.running).toBe(0);
});

test("who has left is not told, who fails is logged, and the others are told all the same", async () => {
  const gone = await call("owner");
  await watch.add(
    request("owner"),
    () => {
      throw new Error("no");
    },
    new AbortController().signal,
  );
  const { told, next } = await call("owner");
  gone.leave.abort();
  await put("MEMORY.md", "one");
  await next();
  expect([told, gone.told, errors.length]).toEqual([[["MEMORY.md"]], [], 1]);
});

test("a stranger, a call without a workspace, one that is over and a closed watch cost nothing", async () => {
  await call("stranger");
  const { workspaceDir: _none, ...bare } = request("owner");
  await watch.add(bare, () => {}, new AbortController().signal);
  await watch.add(request("owner"), () => {}, AbortSignal.abort());
  watch.close();
  await call("owner");
  expect(clock.running).toBe(0);
});
