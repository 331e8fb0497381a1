import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { noteOf, provenance } from "../../../src/calls/context/note.ts";
import { NoteFiles } from "../../../src/calls/context/note-file.ts";
import { overCall } from "./scene.ts";

const DAY = "2026-03-15";
const MARK = provenance("call_1");
const BLOCK = noteOf(overCall(), "UTC");
const BEFORE = "# Today\nGrüße.\n";
let dir: string;
const path = () => join(dir, "memory", `${DAY}.md`);

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "voice-note-"));
  await mkdir(join(dir, "memory"));
});
afterEach(() => rm(dir, { recursive: true }));

test("a note that was cut off while it was written is completed, not written again", async () => {
  const bytes = Buffer.from(BLOCK);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: MARK.length, max: bytes.length }), async (written) => {
      await writeFile(path(), Buffer.concat([Buffer.from(`${BEFORE}\n`), bytes.subarray(0, written)]));
      for (const _again of [1, 2]) await new NoteFiles().append(dir, DAY, MARK, BLOCK);
      expect(await readFile(path(), "utf8")).toBe(`${BEFORE}\n${BLOCK}`);
    }),
    { numRuns: 30 },
  );
});

test("what somebody wrote below a note or into it is left alone", async () => {
  for (const changed of [`${BLOCK}\nMy own words.\n`, BLOCK.replace("Thank you", "Thanks"), `${MARK}\nGone.\n`]) {
    await writeFile(path(), changed);
    await new NoteFiles().append(dir, DAY, MARK, BLOCK);
    expect(await readFile(path(), "utf8")).toBe(changed);
  }
});
