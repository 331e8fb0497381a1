import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadFrontMatterReader } from "../../../src/calls/context/front-matter.ts";
import { MemoryFiles } from "../../../src/calls/context/memory-files.ts";
import { readText } from "../../../src/calls/context/workspace-file.ts";

const WINDOW = 1_000;
const readFrontMatter = await loadFrontMatterReader();

let dir: string;
let reads: string[];
/** How far the machine's clock is ahead of the files: they were written a minute ago unless a test says otherwise. */
let ahead: number;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "voice-files-"));
  reads = [];
  ahead = 60_000;
});
afterEach(() => rm(dir, { recursive: true }));

function memoryFiles(maxCharacters?: number): MemoryFiles {
  return new MemoryFiles({
    readFrontMatter: async (block) => readFrontMatter(block),
    read: (path) => {
      reads.push(path.slice(path.lastIndexOf("/") + 1));
      return readText(path);
    },
    now: () => Date.now() + ahead,
    ...(maxCharacters !== undefined && { maxCharacters }),
  });
}

const put = (name: string, text: string) => writeFile(join(dir, name), text);

test("a file that stays the same is read once, however many calls ask, at once or later", async () => {
  await put("MEMORY.md", "---\npriority: 3\n---\n# A\nx");
  const files = memoryFiles();
  const ask = () => files.get(dir, "MEMORY.md", WINDOW);
  const [first, second] = await Promise.all([ask(), ask()]);
  expect(first).toMatchObject({ sections: ["# A\nx"], frontMatter: { priority: 3 } });
  expect([second, await ask()]).toEqual([first, first]);
  expect(reads).toEqual(["MEMORY.md"]);
});

test("a change shows at once: another text, the same size and time, a file put in its place", async () => {
  const files = memoryFiles();
  const told = async () => {
    const file = await files.get(dir, "MEMORY.md", WINDOW);
    return file && "sections" in file ? file.sections[0] : file;
  };
  const past = new Date(Date.now() - 3_600_000);
  await put("MEMORY.md", "one");
  await utimes(join(dir, "MEMORY.md"), past, past);
  expect(await told()).toBe("one");
  await put("MEMORY.md", "two");
  await utimes(join(dir, "MEMORY.md"), past, past);
  expect(await told()).toBe("two");
  await put("new.md", "six");
  await rename(join(dir, "new.md"), join(dir, "MEMORY.md"));
  expect(await told()).toBe("six");
  await rm(join(dir, "MEMORY.md"));
  expect(await told()).toBeUndefined();
});

test("a file written a moment ago is read again: another change within the tick of its clock would not show", async () => {
  ahead = 0;
  await put("MEMORY.md", "one");
  const files = memoryFiles();
  await files.get(dir, "MEMORY.md", WINDOW);
  await files.get(dir, "MEMORY.md", WINDOW);
  expect(reads).toEqual(["MEMORY.md", "MEMORY.md"]);
});

test("a file that was read and is now a link to a place outside is refused, though it is the same file", async () => {
  const outside = await mkdtemp(join(tmpdir(), "voice-outside-"));
  try {
    const files = memoryFiles();
    await put("MEMORY.md", "one");
    expect(await files.get(dir, "MEMORY.md", WINDOW)).toMatchObject({ sections: ["one"] });
    await rename(join(dir, "MEMORY.md"), join(outside, "MEMORY.md"));
    await symlink(join(outside, "MEMORY.md"), join(dir, "MEMORY.md"));
    expect(await files.get(dir, "MEMORY.md", WINDOW)).toMatchObject({ reason: expect.stringMatching(/outside/) });
  } finally {
    await rm(outside, { recursive: true });
  }
});

test.each([
  ["code in its front matter", "---js\n{ a: (globalThis.voiceRan = true) }\n---\nx", /not run/],
  ["broken front matter", "---\na: [1\n---\nx", /./],
  ["an audience that there is not", "---\naudience: everybody\n---\nx", /audience/],
  ["front matter that is no list of names", "---\njust words\n---\nx", /names and values/],
  ["a byte that is no text", "a\0b", /not text/],
])("a file with %s stays refused without being read again, and nothing in it runs", async (_name, text, reason) => {
  await put("MEMORY.md", text);
  const files = memoryFiles();
  for (const _time of [1, 2]) {
    expect(await files.get(dir, "MEMORY.md", WINDOW)).toMatchObject({ reason: expect.stringMatching(reason) });
  }
  expect(reads).toEqual(["MEMORY.md"]);
  expect("voiceRan" in globalThis).toBe(false);
});

test("a read that failed is tried again", async () => {
  await put("MEMORY.md", "one");
  let failing = true;
  const files = new MemoryFiles({
    readFrontMatter: async (block) => readFrontMatter(block),
    read: (path) =>
      failing ? Promise.resolve({ kind: "failed", reason: "the disk is away", bytes: 0 }) : readText(path),
    now: () => Date.now() + ahead,
  });
  expect(await files.get(dir, "MEMORY.md", WINDOW)).toMatchObject({ reason: "the disk is away" });
  failing = false;
  expect(await files.get(dir, "MEMORY.md", WINDOW)).toMatchObject({ sections: ["one"] });
});

test("what is kept is bounded, and goes with the file that was asked for longest ago", async () => {
  await mkdir(join(dir, "memory"));
  const files = memoryFiles(3_500);
  for (const name of ["a.md", "b.md", "c.md"]) await put(`memory/${name}`, `# ${name}\n${"word ".repeat(140)}`);
  for (const name of ["a.md", "b.md", "a.md", "c.md", "a.md", "b.md"]) await files.get(dir, `memory/${name}`, WINDOW);
  expect(reads).toEqual(["a.md", "b.md", "c.md", "b.md"]);
});
