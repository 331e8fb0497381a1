import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeMulaw, encodeMulaw, FRAME_BYTES, isAudible } from "../../src/audio/g711.ts";
import { CLIP_TEXTS, type ClipName, Clips } from "../../src/calls/clips.ts";

const shipped = fileURLToPath(new URL("../../clips", import.meta.url));
const names = Object.keys(CLIP_TEXTS) as ClipName[];

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "clips-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** A tone, or quiet, in µ-law. */
const sound = (ms: number, amplitude = 8_000) =>
  encodeMulaw(Int16Array.from({ length: ms * 8 }, (_, at) => amplitude * Math.sin(at / 2)));

async function put(path: string, content: Uint8Array | string): Promise<void> {
  await mkdir(join(dir, path, ".."), { recursive: true });
  await writeFile(join(dir, path), content);
}

/** What `folder` makes of the clips, with nothing else than `packaged` behind it. */
async function loaded(language: string, packaged = shipped): Promise<Clips> {
  const clips = new Clips({ language, folder: join(dir, "own"), packaged });
  await clips.load();
  return clips;
}

describe("the English clips of the package", () => {
  test("are these and no others", async () => {
    const files = await readdir(join(shipped, "en"));
    expect(files.sort()).toEqual(names.map((name) => `${name}.ulaw`).sort());
  });

  test.each(names)("%s is sound of the right length and loudness that neither clicks nor pauses", async (name) => {
    const bytes = await readFile(join(shipped, "en", `${name}.ulaw`));
    const samples = decodeMulaw(bytes);
    const dbfs = 10 * Math.log10(samples.reduce((sum, sample) => sum + (sample / 32_768) ** 2, 0) / samples.length);
    const [least, most] = name === "cue" ? [-27, -21] : [-23, -17];
    expect(dbfs).toBeGreaterThan(least);
    expect(dbfs).toBeLessThan(most);
    const seconds = samples.length / 8_000;
    expect(seconds).toBeGreaterThan(name === "cue" ? 0.25 : 0.8);
    expect(seconds).toBeLessThan(name === "cue" ? 0.5 : 6);
    for (const edge of [samples.subarray(0, 3), samples.subarray(-3)]) {
      for (const sample of edge) expect(Math.abs(sample)).toBeLessThan(150); // -47 dBFS
    }
    const audible = Array.from({ length: Math.floor(bytes.length / FRAME_BYTES) }, (_, index) =>
      isAudible(bytes.subarray(index * FRAME_BYTES, (index + 1) * FRAME_BYTES)),
    );
    expect(audible.indexOf(true)).toBeLessThanOrEqual(1);
    const longestPause =
      audible
        .map((loud) => (loud ? " " : "q"))
        .join("")
        .split(" ")
        .toSorted()
        .at(-1) ?? "";
    expect(longestPause.length).toBeLessThan(35); // 0.7 s
  });

  test("say what the table says, each but the cue a sentence", () => {
    expect(CLIP_TEXTS.cue).toBe("");
    for (const name of names.filter((each) => each !== "cue")) expect(CLIP_TEXTS[name]).toMatch(/^[A-Z].+[.?]$/);
  });

  test("are all there for a caller who speaks English, in whole frames, with their words", async () => {
    const clips = new Clips({ language: "en-US" });
    expect(clips.get("apology")).toBeUndefined(); // not before they are read
    await clips.load();
    expect(clips.missing).toEqual([]);
    expect(clips.problems).toEqual([]);
    for (const name of names) {
      const clip = clips.get(name);
      expect(clip).toMatchObject({ name, text: CLIP_TEXTS[name], language: "en" });
      expect((clip?.audio.length ?? 1) % FRAME_BYTES).toBe(0);
      expect(clip?.durationMs).toBe((clip?.audio.length ?? 0) / 8);
    }
  });

  test.each(["src/calls", "dist"])("are found from a package whose code lies in %s", async (where) => {
    // The whole package is copied to a place of its own, as the host does with a plugin.
    const home = join(dir, "plugin");
    await cp(shipped, join(home, "clips"), { recursive: true });
    await put(`plugin/${where}/clips.ts`, await readFile(new URL("../../src/calls/clips.ts", import.meta.url)));
    await put(`plugin/${where}/../audio/g711.ts`, await readFile(new URL("../../src/audio/g711.ts", import.meta.url)));
    const program = `import { Clips } from "./${where}/clips.ts";
      const clips = new Clips({ language: "en" });
      await clips.load();
      console.log(clips.missing.length, clips.problems.length, clips.get("cue")?.durationMs);`;
    await put("plugin/try.ts", program);
    const { stdout } = await promisify(execFile)(process.execPath, [join(home, "try.ts")], { cwd: tmpdir() });
    expect(stdout.trim()).toBe("0 0 360");
  });
});

describe("clips by language", () => {
  test("come in the exact language, else in that without its region, else in English", async () => {
    await put("own/de-AT/apology.ulaw", sound(500));
    await put("own/de/apology.ulaw", sound(600));
    await put("own/de/goodbye.ulaw", sound(700));
    const clips = await loaded("de-at");
    expect(clips.get("apology")).toMatchObject({ language: "de-AT", durationMs: 500 });
    expect(clips.get("goodbye")).toMatchObject({ language: "de", durationMs: 700 });
    expect(clips.get("one-moment")).toMatchObject({ language: "en" });
    expect(clips.missing).toEqual(names.filter((name) => !["cue", "apology", "goodbye"].includes(name)));
  });

  test("come from the account's folder before the package's, the cue too", async () => {
    await put("own/en/cue.ulaw", sound(200));
    await put("own/en/apology.ulaw", sound(400));
    await put("own/en/apology.txt", "So sorry.\n");
    const clips = await loaded("en");
    expect(clips.get("cue")?.durationMs).toBe(200);
    expect(clips.get("apology")).toMatchObject({ durationMs: 400, text: "So sorry." });
    expect(clips.get("goodbye")?.text).toBe(CLIP_TEXTS.goodbye);
    expect(clips.missing).toEqual([]);
  });

  test("a better language of the package goes before the account's English", async () => {
    await put("own/en/apology.ulaw", sound(400));
    await put("theirs/fr/apology.ulaw", sound(600));
    expect((await loaded("fr-CA", join(dir, "theirs"))).get("apology")?.language).toBe("fr");
  });

  test("what names no language leads to no folder", async () => {
    await put("apology.ulaw", sound(500));
    const clips = await loaded("../..");
    expect(clips.get("apology")?.language).toBe("en");
    expect(clips.missing).not.toEqual([]);
  });

  test("what is missing everywhere is missing, and breaks nothing", async () => {
    const clips = await loaded("en", join(dir, "none"));
    expect(clips.missing).toEqual(names);
    expect(clips.problems).toEqual([]);
    expect(clips.get("cue")).toBeUndefined();
  });
});

describe("a file", () => {
  test.each<[why: string, content: Uint8Array | string, said: RegExp]>([
    ["that is empty", "", /apology\.ulaw is empty\.$/],
    ["with nothing audible", sound(500, 40), /has nothing audible/],
    ["that is too long", sound(20_020), /is longer than 20 s\.$/],
    ["that is a WAV file", Buffer.concat([Buffer.from("RIFF"), sound(500)]), /is a WAV file/],
    ["with a long pause", Buffer.concat([sound(200), sound(1_100, 0), sound(200)]), /has a pause of more than 1000 ms/],
  ])("%s is a problem, and English is heard", async (_, content, said) => {
    await put("own/de/apology.ulaw", content);
    const clips = await loaded("de");
    expect(clips.problems).toEqual([expect.stringMatching(said)]);
    expect(clips.get("apology")?.language).toBe("en");
    expect(clips.missing).toContain("apology");
  });

  test("that cannot be read is a problem, not an absence", async () => {
    await mkdir(join(dir, "own/de/apology.ulaw"), { recursive: true });
    expect((await loaded("de")).problems).toEqual([expect.stringMatching(/apology\.ulaw EISDIR/)]);
  });

  test("begins and ends with at most one quiet frame: nobody waits for a recording to start", async () => {
    await put("own/de/apology.ulaw", Buffer.concat([sound(3_000, 0), sound(305), sound(3_000, 0)]));
    const audio = (await loaded("de")).get("apology")?.audio as Uint8Array;
    const frame = (index: number) => isAudible(audio.subarray(index * FRAME_BYTES, (index + 1) * FRAME_BYTES));
    expect(audio.length).toBe(18 * FRAME_BYTES);
    expect([frame(0), frame(1), frame(16), frame(17)]).toEqual([false, true, true, false]);
  });
});

test("they are read once: what happens to the files afterwards no call notices", async () => {
  await put("own/de/apology.ulaw", sound(500));
  const clips = await loaded("de");
  await rm(join(dir, "own"), { recursive: true });
  await clips.load();
  expect(clips.get("apology")?.language).toBe("de");
});
