import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { decodeMulaw, encodeMulaw } from "../../src/audio/g711.ts";
import { bestEars, scriptEars, taughtVoice } from "../../src/testing/ears.ts";
import { pocketsphinxEars, pocketsphinxInstalled } from "../../src/testing/pocketsphinx.ts";
import { fliteVoice } from "../../src/testing/voice.ts";

const flite = fliteVoice();
const ears = scriptEars();
const voice = taughtVoice(flite, ears);
const LINES = [
  "Hello, I would like to book a table for two people tomorrow evening.",
  "What are your opening hours on Sunday?",
  "Yes, please.",
  "Thank you very much, goodbye.",
];
let clips: Int16Array[] = [];
beforeAll(async () => {
  clips = await Promise.all(LINES.map((line) => voice.speak(line)));
});
afterAll(() => flite.close());

/** As a telephone path delivers it. */
const overThePhone = (...parts: readonly Int16Array[]): Int16Array =>
  Int16Array.from(parts.flatMap((part) => [...decodeMulaw(encodeMulaw(part))]));
const silence = (samples: number): Int16Array => new Int16Array(samples);
const words = (text: string): string[] => text.split(" ").filter((word) => word !== "");

describe("script ears", () => {
  test("a taught line is understood wherever it begins", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(LINES.length - 1), fc.nat(8_000), fc.nat(8_000), async (line, before, after) => {
        const heard = await ears.hear(overThePhone(silence(before), clips[line] as Int16Array, silence(after)));
        expect(heard).toBe(LINES[line]);
      }),
      { numRuns: 60 },
    );
  });

  test("a line cut at either end gives the words of what is left, in proportion", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1),
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        fc.double({ min: 0.6, max: 1, noNaN: true }),
        fc.nat(3_000),
        async (line, from, to, before) => {
          const clip = clips[line] as Int16Array;
          const text = LINES[line] as string;
          const part = clip.subarray(Math.round(from * clip.length), Math.round(to * clip.length));
          const heard = await ears.hear(overThePhone(silence(before), part, silence(400)));
          expect(text).toContain(heard);
          const share = text.length * (to - from);
          expect(Math.abs(heard.length - share)).toBeLessThan(14); // a word at either end
        },
      ),
      { numRuns: 80 },
    );
  });

  test("several lines in one utterance come in the order in which they were said", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(LINES.length - 1), { minLength: 1, maxLength: 4 }),
        fc.nat(1_600),
        async (order, gap) => {
          const parts = order.flatMap((line) => [clips[line] as Int16Array, silence(gap + 1)]);
          expect(await ears.hear(overThePhone(...parts))).toBe(order.map((line) => LINES[line]).join(" "));
        },
      ),
      { numRuns: 40 },
    );
  });

  test("a frame lost in the middle costs at most a word", async () => {
    const clip = clips[0] as Int16Array;
    const half = Math.floor(clip.length / 2);
    const heard = await ears.hear(overThePhone(clip.subarray(0, half), clip.subarray(half + 160)));
    expect(words(LINES[0] as string).length - words(heard).length).toBeLessThanOrEqual(1);
  });

  test("what was never taught is not understood: noise, silence, nothing, another voice", async () => {
    const noise = Int16Array.from({ length: 16_000 }, (_, i) => ((i * 7_919) % 12_001) - 6_000);
    const stranger = await flite.speak(LINES[1] as string, { speaker: "slt" });
    for (const sound of [noise, silence(16_000), silence(0), stranger]) expect(await ears.hear(sound)).toBe("");
  });
});

describe("which ears", () => {
  test("the script's are used unless real ones are asked for", () => {
    expect(bestEars(ears).kind).toBe("script");
  });

  test("the script's are used when the recogniser is not on PATH, and they say so", () => {
    vi.stubEnv("PATH", "/nowhere");
    expect(bestEars(ears, { real: true }).kind).toBe("script");
    vi.unstubAllEnvs();
  });

  test("a missing recogniser is named, with the way to install it", async () => {
    vi.stubEnv("PATH", "/nowhere");
    await expect(pocketsphinxEars().hear(silence(800))).rejects.toThrow(/pocketsphinx_batch is not on PATH: apt-get/);
    vi.unstubAllEnvs();
  });

  test("where a recogniser is installed it understands simple speech, several utterances at once; elsewhere the script's ears stand in", async () => {
    const real = bestEars(ears, { real: true });
    if (!pocketsphinxInstalled()) {
      expect(real.kind).toBe("script");
      return;
    }
    expect(real.kind).toBe("pocketsphinx");
    const said = [
      "please call me back on monday morning",
      "i would like to speak to the manager",
      "what time is it now",
    ];
    const heard = await Promise.all(
      said.map(async (line) => real.hear(overThePhone(silence(2_000), await flite.speak(line), silence(2_000)))),
    );
    const wrong = said.reduce((sum, line, index) => sum + editDistance(words(line), words(heard[index] as string)), 0);
    expect(wrong / said.flatMap(words).length).toBeLessThan(0.15);
  }, 60_000);
});

/** Words to change, add or drop to make one line the other. */
function editDistance(a: readonly string[], b: readonly string[]): number {
  let row = b.map((_, index) => index + 1);
  row.unshift(0);
  for (const [i, word] of a.entries()) {
    const next = [i + 1];
    for (const [j, other] of b.entries()) {
      next.push(
        Math.min((row[j] as number) + (word === other ? 0 : 1), (row[j + 1] as number) + 1, (next[j] as number) + 1),
      );
    }
    row = next;
  }
  return row.at(-1) as number;
}
