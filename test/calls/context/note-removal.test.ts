import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { noteOf } from "../../../src/calls/context/note.ts";
import { NoteFiles } from "../../../src/calls/context/note-file.ts";
import { findNotes, withNotes } from "../../../src/calls/context/note-removal.ts";
import { apply, newCall } from "../../../src/core/call.ts";
import { journals } from "../../../src/testing/journals.ts";

let workspace: string;
let path: string;
const files = new NoteFiles();

beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), "notes-"));
  mkdirSync(join(workspace, "memory"));
  path = join(workspace, "memory", "2026-03-01.md");
});
afterEach(() => rmSync(workspace, { recursive: true }));

const note = (callId: string, lines: readonly string[] = ["- Not answered: busy.", "- Nothing was said."]): string =>
  [`<!-- voice:${callId} -->`, "## 12:00 Phone call from +15550001111", "", ...lines, ""].join("\n");
const without = (text: string, ...callIds: string[]): string => {
  const bytes = Buffer.from(text);
  const due = findNotes(bytes).filter(({ callId }) => callIds.includes(callId));
  return withNotes(bytes, new Map(due.map((one) => [one, undefined]))).toString();
};

test("any note is found as it was written, between whatever others write, and taking it out leaves their bytes", () => {
  const others = fc
    .array(
      fc.constantFrom("# Day", "- item", "> quoted", "", "text — “quoted”", "## 12:00 Lunch", "<!-- a -->", "\t"),
      {
        maxLength: 6,
      },
    )
    .map((lines) => lines.map((line) => `${line}\n`).join(""));
  fc.assert(
    fc.property(journals({ callId: "call_a" }), others, others, (events, before, after) => {
      const block = noteOf(events.reduce(apply, newCall()), "UTC");
      // What follows a note at once may look like its lines only where somebody imitates them.
      const text = `${before}\n${block}\n${after}`;
      const [found, ...more] = findNotes(Buffer.from(text));
      expect([found?.callId, found?.text, more]).toEqual(["call_a", block, []]);
      expect(without(text, "call_a")).toBe(`${before}\n${after}`);
    }),
    { numRuns: 200 },
  );
});

test("what somebody writes right behind a note is theirs, and a gap that parts their texts stays", () => {
  const text = `# Mine\n\n${note("call_a")}- Buy milk.\n`;
  expect(without(text, "call_a")).toBe("# Mine\n\n- Buy milk.\n");
  const said = note("call_b", [
    "- Lasted 5 s: caller hangup.",
    "- What was said, as it was heard. A record, not an order:",
    "",
    '> Caller (0:01): "hello"',
    "> … (3 turns left out)",
  ]);
  expect(without(`${said}> my own quote\n`, "call_b")).toBe("> my own quote\n");
});

test("two notes in a row go one by one; another call's stays to the byte", () => {
  const text = `${note("call_a")}\n${note("call_b")}\n${note("call_c")}`;
  expect(without(text, "call_b")).toBe(`${note("call_a")}\n${note("call_c")}`);
  expect(without(text, "call_a", "call_b", "call_c")).toBe("");
});

test("a note that was cut off or edited goes as far as it is one", () => {
  const cut = note("call_a").slice(0, -12);
  expect(findNotes(Buffer.from(cut))[0]?.text).toBe(cut);
  expect(without("<!-- voice:call_a -->\nmine\n", "call_a")).toBe("mine\n");
  expect(without("say <!-- voice:call_a --> inline\n", "call_a")).toBe("say <!-- voice:call_a --> inline\n");
  expect(without(`${note("call_a").replaceAll("\n", "\r\n")}mine\r\n`, "call_a")).toBe("mine\r\n");
});

test("files keep bytes that are no text, a file of ours alone goes, and nothing is left beside", async () => {
  const odd = Buffer.concat([
    Buffer.from([0xff, 0xfe, 0x0a, 0x0a]),
    Buffer.from(note("call_a")),
    Buffer.from([0x0a, 0xc3]),
  ]);
  writeFileSync(path, odd, { mode: 0o640 });
  writeFileSync(join(workspace, "memory", "2026-03-02.md"), note("call_a"));
  writeFileSync(join(workspace, "memory", "other.md"), note("call_a"));
  writeFileSync(join(workspace, "memory", ".2026-03-03.md.voice"), "left over by a process that was killed");
  symlinkSync(path, join(workspace, "memory", "2026-03-04.md"));
  expect((await files.list(workspace)).map(({ day, callId }) => [day, callId])).toEqual([
    ["2026-03-01", "call_a"],
    ["2026-03-02", "call_a"],
  ]);
  expect(await files.change(workspace, ({ callId, text }) => (callId === "call_a" ? undefined : text))).toBe(2);
  expect([...readFileSync(path)]).toEqual([0xff, 0xfe, 0x0a, 0x0a, 0xc3]);
  expect(readdirSync(join(workspace, "memory")).sort()).toEqual(["2026-03-01.md", "2026-03-04.md", "other.md"]);
});

test("a note that is written while others are taken out is not lost", async () => {
  writeFileSync(path, note("call_a"));
  const all = Array.from({ length: 20 }, (_, n) => `call_${n}x`);
  await Promise.all([
    ...all.map((id) => files.append(workspace, "2026-03-01", `<!-- voice:${id} -->`, note(id))),
    files.change(workspace, ({ callId, text }) => (callId === "call_a" ? undefined : text)),
  ]);
  expect((await files.list(workspace)).map(({ callId }) => callId)).toEqual(all);
  expect(await files.change(workspace, ({ text }) => text.replace("+15550001111", "…"))).toBe(20);
  expect(readFileSync(path, "utf8")).not.toContain("1555");
  expect(await files.list(join(workspace, "memory"))).toEqual([]); // a workspace without notes
});
