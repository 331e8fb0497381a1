import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { loadFrontMatterReader } from "../../../src/calls/context/front-matter.ts";
import { searchMemory } from "../../../src/calls/tools/memory-search.ts";

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function workspace(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "voice-memory-"));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

async function search(workspaceDir: string, query: string): Promise<string> {
  const read = await loadFrontMatterReader();
  return searchMemory({ workspaceDir, query, readFrontMatter: async (block) => read(block) });
}

test("whole sections are found by their words, the best first, then MEMORY.md, then the newest day", async () => {
  const folder = await workspace({
    "MEMORY.md": "# Travel\nAnn flies to Oslo.\n\n# Food\nNo nuts.",
    "memory/2026-02-27.md": "# Call\nThe flight was moved.\n",
    "memory/2026-02-28.md": "# Call\nThe flight to Oslo goes at 9.\n\n# Other\nNothing.",
    "memory/2026-02-26.md": "# Call\nFlights are dear.",
    "memory/notes.txt": "flight Oslo",
  });
  expect(await search(folder, "flight Oslo?")).toBe(
    [
      "[memory/2026-02-28.md]\n# Call\nThe flight to Oslo goes at 9.",
      "[MEMORY.md]\n# Travel\nAnn flies to Oslo.",
      "[memory/2026-02-27.md]\n# Call\nThe flight was moved.",
      "[memory/2026-02-26.md]\n# Call\nFlights are dear.",
    ].join("\n\n"),
  );
  expect(await search(folder, "light")).toBe("");
});

test.each(["", "  ", "?", "a"])("%j looks for nothing", async (query) => {
  expect(await search(await workspace({ "MEMORY.md": "a b ?" }), query)).toBe("");
});

test("words are found whatever their case and script", async () => {
  const folder = await workspace({ "MEMORY.md": "# Ärzte\nDr. MÜLLER\n\n# 日本\n東京 に 行く" });
  expect(await search(folder, "müller")).toContain("MÜLLER");
  expect(await search(folder, "東京")).toContain("東京");
});

test("no more than 2,000 characters, in whole sections; one that is longer by itself gives its beginning", async () => {
  const section = (title: string, length: number) => `# ${title}\n${"flight ".repeat(length / 7)}\n`;
  const folder = await workspace({ "MEMORY.md": section("One", 900) + section("Two", 900) + section("Three", 900) });
  const found = await search(folder, "flight");
  expect(found.match(/^# \w+$/gm)).toEqual(["# One", "# Two"]);
  expect(found.length).toBeLessThanOrEqual(2_000);
  const long = await workspace({ "MEMORY.md": `# One\n${"flight ".repeat(1_000)}\n# Two\nx` });
  expect(await search(long, "flight")).toHaveLength(2_000);
});

test("files that are not for calls, that are code in front, or that lie elsewhere are left out", async () => {
  const other = await workspace({ "secret.md": "flight plans" });
  const folder = await workspace({
    "MEMORY.md": "---\nvoice: false\n---\nflight one",
    "memory/2026-02-27.md": "---js\n{ voice: true }\n---\nflight two",
    "memory/2026-02-28.md": "---\naudience: owner\n---\nflight three",
  });
  await symlink(join(other, "secret.md"), join(folder, "memory", "2026-03-01.md"));
  expect(await search(folder, "flight")).toBe("[memory/2026-02-28.md]\nflight three");
});

test("an agent without notes, or whose notes lie elsewhere, has none", async () => {
  expect(await search(await workspace({}), "flight")).toBe("");
  const other = await workspace({ "2026-03-01.md": "flight plans" });
  const folder = await workspace({});
  await symlink(other, join(folder, "memory"));
  expect(await search(folder, "flight")).toBe("");
});

test("it ends with the call", async () => {
  const folder = await workspace({ "MEMORY.md": "flight" });
  const signal = AbortSignal.abort(new Error("The call is over."));
  const looking = searchMemory({
    workspaceDir: folder,
    query: "flight",
    readFrontMatter: async () => ({ reason: "" }),
    signal,
  });
  await expect(looking).rejects.toThrow("The call is over.");
});
