import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { encodeMulaw, isAudible } from "../../src/audio/g711.ts";
import { resample, resampler } from "../../src/testing/resample.ts";
import { fliteVoice } from "../../src/testing/voice.ts";

const voice = fliteVoice();
afterAll(() => voice.close());

const seconds = (samples: Int16Array): number => samples.length / 8_000;

test("a sentence becomes audible speech of a plausible length, silence cut at both ends", async () => {
  const clip = await voice.speak("Hello, this is Nia. How can I help you today?");
  expect(seconds(clip)).toBeGreaterThan(2);
  expect(seconds(clip)).toBeLessThan(5);
  const bytes = encodeMulaw(clip);
  expect(isAudible(bytes)).toBe(true);
  expect(isAudible(bytes.subarray(0, 480))).toBe(true);
  expect(isAudible(bytes.subarray(-480))).toBe(true);
});

test("the same words by the same speaker are the same sound in another instance too; speakers differ", async () => {
  const other = fliteVoice();
  try {
    const [first, again, woman] = await Promise.all([
      voice.speak("Good morning."),
      other.speak("Good morning."),
      other.speak("Good morning.", { speaker: "slt" }),
    ]);
    expect(again).toEqual(first);
    expect(woman).not.toEqual(first);
  } finally {
    await other.close();
  }
});

test("what one listener does to a clip does not change the next one", async () => {
  const clip = await voice.speak("Keep this.");
  clip.fill(0);
  expect((await voice.speak("Keep this.")).some((sample) => sample !== 0)).toBe(true);
});

test("the event loop keeps turning while a long sentence is spoken", async () => {
  let turns = 0;
  const meter = setInterval(() => {
    turns += 1;
  }, 1);
  try {
    const clip = await voice.speak("I would like to talk to somebody about the bill of last Monday. ".repeat(6));
    expect(seconds(clip)).toBeGreaterThan(15);
  } finally {
    clearInterval(meter);
  }
  expect(turns).toBeGreaterThan(20); // spoken on this thread it would be one or two
});

test("a program that only speaks ends by itself, prints no warning and leaves no file", () => {
  const module = pathToFileURL("src/testing/voice.ts").href;
  const program = `const { fliteVoice } = await import(${JSON.stringify(module)});
    console.log((await fliteVoice().speak("One two three.")).length);`;
  const folder = mkdtempSync(join(tmpdir(), "voice-test-"));
  try {
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
      env: { ...process.env, TMPDIR: folder },
      timeout: 20_000,
    });
    expect(run.stderr).toBe("");
    expect(Number(run.stdout)).toBeGreaterThan(4_000);
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("closing waits for the sentence being spoken; speaking again opens a new thread", async () => {
  const other = fliteVoice();
  const clip = other.speak("Almost done.");
  await clip;
  const pending = other.speak("And one more.");
  await Promise.all([pending, other.close()]);
  expect((await pending).length).toBeGreaterThan(1_000);
  expect((await other.speak("Back again.")).length).toBeGreaterThan(1_000);
  await other.close();
});

const tone = (hz: number, rate: number, count: number): Int16Array =>
  Int16Array.from({ length: count }, (_, i) => 12_000 * Math.sin((2 * Math.PI * hz * i) / rate));
const rms = (samples: Int16Array): number =>
  Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / Math.max(1, samples.length));

test("resampling keeps what fits the lower rate and removes what would alias", () => {
  for (const [from, to] of [
    [16_000, 8_000],
    [24_000, 8_000],
    [8_000, 24_000],
    [8_000, 16_000],
  ] as const) {
    const kept = resample(tone(1_000, from, from), from, to);
    expect(kept.length).toBe(to);
    const middle = kept.subarray(to / 4, (to * 3) / 4);
    const ideal = tone(1_000, to, to).subarray(to / 4, (to * 3) / 4);
    expect(rms(middle.map((x, i) => x - (ideal[i] as number)))).toBeLessThan(12_000 / 300);
  }
  const aliased = resample(tone(5_000, 16_000, 16_000), 16_000, 8_000);
  expect(rms(aliased.subarray(2_000, 6_000))).toBeLessThan(12_000 / 1_000);
});

test("resampling in chunks says the same as resampling at once", () => {
  const whole = tone(700, 24_000, 5_000);
  const stream = resampler(24_000, 8_000);
  const parts: number[] = [];
  for (let at = 0; at < whole.length; at += 333) parts.push(...stream.push(whole.subarray(at, at + 333)));
  parts.push(...stream.flush());
  expect(Int16Array.from(parts)).toEqual(resample(whole, 24_000, 8_000));
});
