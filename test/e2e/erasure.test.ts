import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { ruleMind } from "../../src/testing/speech-model/index.ts";
import { ANN, BOB, OUR_NUMBER, type World, worlds } from "./world.ts";

const world = worlds();
const PHRASES = [
  "My cat is called Wellington.",
  "The spare key lies under the fern.",
  "I dreamt of a purple zeppelin.",
];
const mind = ruleMind([
  { when: /cat/i, say: "I see.", call: "remember_this", args: { text: PHRASES[0] } },
  { when: /key|zeppelin|bicycle/i, say: "I see." },
  { when: "tool:remember_this" },
]);
const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** Files below folders whose raw bytes hold one of the texts, whatever its capitals. */
async function holding(roots: readonly string[], texts: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const root of roots) {
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const bytes = (await readFile(path)).toString("latin1").toLowerCase();
      for (const text of texts) if (bytes.includes(text.toLowerCase())) found.push(`${entry.name}: ${text}`);
    }
  }
  return found;
}

/** Somebody rings and says sentences; resolves when all that comes after the call is done. */
async function tell(ours: World, from: string, sentences: readonly string[]): Promise<string> {
  const ending = ours.nextEnd();
  await ours.phones.ring({
    from,
    to: OUR_NUMBER,
    script: async (line) => {
      await line.hearReply({ quietMs: 2_000 });
      for (const sentence of sentences) {
        await line.say(sentence);
        await line.hearReply();
      }
    },
  }).ended;
  const { callId } = await ending;
  for await (const _entry of ours.plugin.follow(callId, 0, AbortSignal.timeout(10_000)));
  return callId;
}

test("after somebody is erased no file holds their number or their words; others keep theirs", async () => {
  const workspaceDir = await mkdtemp(join(tmpdir(), "voice-erasure-"));
  folders.push(workspaceDir);
  const ours = await world({
    mind,
    settings: { store: "sqlite" },
    account: { allowFrom: [ANN, BOB], recording: { mode: "announce", announcement: "This call is recorded." } },
    host: { workspaceDir },
  });
  const roots = [ours.stateDir, workspaceDir];
  const hers = await tell(ours, ANN, PHRASES);
  const his = await tell(ours, BOB, ["I ride a bicycle to work."]);
  const [words, number] = [PHRASES.map((phrase) => phrase.slice(0, -1)), ANN.slice(1)];
  const before = await holding(roots, [number, ...words]);
  for (const text of [number, ...words]) expect(before.join("\n")).toContain(text);
  expect(before.some((found) => found.includes(".md"))).toBe(true);
  expect((await holding(roots, [hers])).length).toBeGreaterThan(0);

  const receipt = await ours.plugin.erase({ number: ANN });
  expect(receipt).toMatchObject({ number: ANN });
  expect(await holding(roots, [number, ...words])).toEqual([]);
  await expect(ours.plugin.call(hers)).rejects.toThrow("no call");
  await ours.plugin.stop();
  expect(await holding(roots, [number, ...words])).toEqual([]);
  const names = (await Promise.all(roots.map((root) => readdir(root, { recursive: true })))).flat();
  expect(names.filter((name) => name.includes(hers))).toEqual([]);

  // What is somebody else's stays, and their sound as well.
  expect((await holding(roots, ["I ride a bicycle to work"])).length).toBeGreaterThan(0);
  expect(names.some((name) => name.includes(his) && name.endsWith(".wav"))).toBe(true);
});
