import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import {
  DtmfDetector,
  dtmfSequence,
  dtmfTone,
  isKey,
  isKeySequence,
  keysLeft,
  PAUSE_MS,
  TONE_MS,
} from "../../src/audio/dtmf.ts";
import { decodeMulaw, encodeMulaw, FRAME_BYTES, mulawMs } from "../../src/audio/g711.ts";
import { fliteVoice } from "../../src/testing/voice.ts";

const KEYS = [..."123A456B789C*0#D"];
const ROWS_HZ = [697, 770, 852, 941];
const COLUMNS_HZ = [1209, 1336, 1477, 1633];
const frequencies = (key: string) =>
  [ROWS_HZ[KEYS.indexOf(key) >> 2], COLUMNS_HZ[KEYS.indexOf(key) & 3]] as [number, number];

const flite = fliteVoice();
afterAll(() => flite.close());

const key = fc.constantFrom(...KEYS);
const seed = fc.integer();
const peak = (dbfs: number) => 32_768 * 10 ** (dbfs / 20);

/** White noise of a peak power, the same for the same seed. */
function noise(from: number): (rms: number) => number {
  let state = from | 0;
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
  return (rms) => rms * Math.sqrt(12) * ((uniform() + uniform() + uniform() - 1.5) / Math.sqrt(3));
}

/** Pieces of sound and silence (milliseconds), with noise over all of it, as µ-law. */
function line(pieces: readonly (Int16Array | number)[], noiseRms = 0, noiseSeed = 1): Uint8Array {
  const next = noise(noiseSeed);
  const samples = pieces.flatMap((piece) =>
    typeof piece === "number" ? new Array(Math.round(piece * 8)).fill(0) : [...piece],
  );
  return encodeMulaw(
    Int16Array.from(samples, (sample) => Math.max(-32_768, Math.min(32_767, sample + next(noiseRms)))),
  );
}

/** Two tones as another sender would make them: without ramps, with any twist and error. */
function rawTone(
  [lowHz, highHz]: readonly [number, number],
  ms: number,
  lowDbfs: number,
  highDbfs: number,
): Int16Array {
  const wave = (hz: number, dbfs: number, i: number) => peak(dbfs) * Math.sin((2 * Math.PI * hz * i) / 8_000);
  return Int16Array.from({ length: Math.round(ms * 8) }, (_, i) => wave(lowHz, lowDbfs, i) + wave(highHz, highDbfs, i));
}

/** What is heard when sound arrives in frames. */
function heard(audio: Uint8Array, frame = FRAME_BYTES, detector = new DtmfDetector()): string {
  let keys = "";
  for (let at = 0; at < audio.length; at += frame) keys += detector.hear(audio.subarray(at, at + frame));
  return keys;
}

/** Amplitude of one frequency in samples, dBFS of its peak. */
function levelOf(samples: Int16Array, hz: number): number {
  let [re, im] = [0, 0];
  samples.forEach((sample, i) => {
    re += sample * Math.cos((2 * Math.PI * hz * i) / 8_000);
    im += sample * Math.sin((2 * Math.PI * hz * i) / 8_000);
  });
  return 20 * Math.log10((2 * Math.hypot(re, im)) / samples.length / 32_768);
}

test("a key sounds its two frequencies at the level that was asked for, the low one 2 dB lower", () => {
  for (const one of KEYS) {
    for (const dbfs of [-6, -9, -20]) {
      const middle = decodeMulaw(dtmfTone(one, 500, dbfs)).subarray(100, -100);
      const [low, high] = frequencies(one);
      expect(levelOf(middle, high)).toBeCloseTo(dbfs, 0);
      expect(levelOf(middle, low)).toBeCloseTo(dbfs - 2, 0);
      for (const other of [...ROWS_HZ, ...COLUMNS_HZ].filter((hz) => hz !== low && hz !== high)) {
        expect(levelOf(middle, other)).toBeLessThan(dbfs - 30);
      }
    }
  }
});

test("a tone begins and ends softly, so that it does not click, and is never clipped", () => {
  for (const one of KEYS) {
    const tone = decodeMulaw(dtmfTone(one, 60, -6));
    const loudest = tone.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    expect(loudest).toBeLessThan(32_000);
    for (const edge of [tone.subarray(0, 4), tone.subarray(-4)]) {
      for (const sample of edge) expect(Math.abs(sample)).toBeLessThan(loudest * 0.1);
    }
  }
});

test("a sequence lasts as long as its keys, their gaps and its pauses", () => {
  const digits = fc.array(fc.constantFrom(...KEYS, "w", ","), { maxLength: 12 }).map((all) => all.join(""));
  const durations = fc.integer({ min: TONE_MS.least, max: TONE_MS.most });
  fc.assert(
    fc.property(digits, durations, fc.integer({ min: 0, max: 300 }), (text, durationMs, gapMs) => {
      const pauses = [...text].filter((one) => !isKey(one)).length;
      const keys = text.length - pauses;
      expect(mulawMs(dtmfSequence(text, { durationMs, gapMs }).length)).toBe(
        keys * (durationMs + gapMs) + pauses * PAUSE_MS,
      );
      expect(isKeySequence(text)).toBe(keys > 0);
    }),
  );
  expect(dtmfSequence("1")).toHaveLength((160 + 80) * 8);
});

test("a sequence that was stopped goes on with what was not recognised: no key is lost, none is pressed twice", () => {
  const digits = fc.array(fc.constantFrom(...KEYS, "w"), { minLength: 1, maxLength: 8 }).map((all) => all.join(""));
  const timings = fc.record({
    durationMs: fc.integer({ min: 60, max: 200 }),
    gapMs: fc.integer({ min: 40, max: 120 }),
  });
  fc.assert(
    fc.property(digits, timings, fc.nat(7), fc.constantFrom(0, 10, 60), (text, timing, index, intoMs) => {
      const at = index % text.length;
      const heardMs = mulawMs(dtmfSequence(text.slice(0, at), timing).length) + intoMs;
      const left = keysLeft(text, heardMs, timing);
      expect(left).toBe(text.slice(intoMs === 60 && text[at] !== "w" ? at + 1 : at));
      const first = decodeMulaw(dtmfSequence(text, timing).subarray(0, heardMs * 8));
      const rest = decodeMulaw(dtmfSequence(left, timing));
      expect(heard(line([first, 40, rest, 40]))).toBe(text.replaceAll("w", ""));
    }),
  );
  expect(keysLeft("12", 480)).toBe("");
  expect(keysLeft("", 0)).toBe("");
});

test("what is on no keypad makes no sound", () => {
  for (const one of ["", "E", "a", "12", " ", "w", "٣"]) expect(() => dtmfTone(one)).toThrow(RangeError);
  for (const text of ["12x", "1 2", "W", "+1", "①"]) {
    expect(() => dtmfSequence(text)).toThrow(RangeError);
    expect(isKeySequence(text)).toBe(false);
  }
  for (const ms of [49, 501, 0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => dtmfTone("1", ms)).toThrow(RangeError);
  }
});

test("every key of 50 to 500 ms is heard once, at all levels, over noise, in frames of any size", () => {
  fc.assert(
    fc.property(
      key,
      fc.integer({ min: TONE_MS.least, max: TONE_MS.most }),
      fc.double({ min: -27, max: -6, noNaN: true }),
      fc.double({ min: 15, max: 60, noNaN: true }),
      fc.double({ min: 0, max: 40, noNaN: true }),
      fc.integer({ min: 1, max: 400 }),
      seed,
      (one, durationMs, dbfs, snrDb, leadMs, frame, noiseSeed) => {
        const tone = decodeMulaw(dtmfTone(one, durationMs, dbfs));
        const noiseRms = peak(dbfs - snrDb) * Math.sqrt(0.5 * (1 + 10 ** -0.2));
        const audio = line([leadMs, tone, 60], noiseRms, noiseSeed);
        expect(heard(audio, frame)).toBe(one);
      },
    ),
    { numRuns: 400 },
  );
});

test("tones of other senders count from 40 ms on, 1.5 % off, with 4 dB more above or 8 dB more below (ITU-T Q.24)", () => {
  const off = fc.double({ min: -0.015, max: 0.015, noNaN: true });
  fc.assert(
    fc.property(
      key,
      fc.double({ min: 40, max: 120, noNaN: true }),
      fc.double({ min: -25, max: -9, noNaN: true }),
      fc.double({ min: -8, max: 4, noNaN: true }),
      off,
      off,
      fc.double({ min: 0, max: 40, noNaN: true }),
      (one, ms, dbfs, twistDb, lowOff, highOff, leadMs) => {
        const [low, high] = frequencies(one);
        const pair = [low * (1 + lowOff), high * (1 + highOff)] as const;
        const tone = rawTone(pair, ms, dbfs - Math.max(0, twistDb), dbfs + Math.min(0, twistDb));
        expect(heard(line([leadMs, tone, 60]))).toBe(one);
      },
    ),
    { numRuns: 400 },
  );
});

test("a pause of 30 ms parts two presses of one key; an interruption of 10 ms does not", () => {
  fc.assert(
    fc.property(
      key,
      fc.double({ min: 0, max: 13, noNaN: true }),
      fc.integer({ min: 60, max: 200 }),
      (one, leadMs, ms) => {
        const tone = rawTone(frequencies(one), ms, -12, -10);
        expect(heard(line([leadMs, tone, 30, tone, 50]))).toBe(one + one);
        expect(heard(line([leadMs, tone, 10, tone, 50]))).toBe(one);
      },
    ),
  );
});

test("a number is heard as it was sent, also without gaps between different keys", () => {
  const number = fc.array(key, { minLength: 1, maxLength: 12 }).map((all) => all.join(""));
  fc.assert(
    fc.property(number, fc.integer({ min: 50, max: 120 }), (digits, durationMs) => {
      expect(heard(dtmfSequence(digits, { durationMs, gapMs: 40 }))).toBe(digits);
      const alone = [...digits].filter((one, i) => one !== digits[i - 1]).join("");
      expect(heard(line([...[...alone].map((one) => decodeMulaw(dtmfTone(one, 100))), 50]))).toBe(alone);
    }),
    { numRuns: 60 },
  );
});

test("one tone alone, a wrong twist, a foreign frequency and a mere 20 ms are no key", () => {
  fc.assert(
    fc.property(key, fc.double({ min: 0, max: 13, noNaN: true }), (one, leadMs) => {
      const [low, high] = frequencies(one);
      const silent = -120;
      const wrong = [
        rawTone([low, high], 200, -10, silent),
        rawTone([low, high], 200, silent, -10),
        rawTone([low, high], 200, -6, -24),
        rawTone([low, high], 200, -24, -6),
        rawTone([low, high], 200, -40, -38),
        rawTone([low, 1_060], 200, -10, -10),
        rawTone([600, high], 200, -10, -10),
        rawTone([350, 440], 400, -10, -10), // dial tone
        rawTone([480, 620], 400, -10, -10), // busy tone
        rawTone([low, high], 14, -10, -10),
      ];
      for (const tone of wrong) expect(heard(line([leadMs, tone, 60]))).toBe("");
    }),
    { numRuns: 50 },
  );
});

test("a key is not heard in speech, however loud, and is heard between words", {
  timeout: 30_000,
}, async () => {
  const texts = [
    "Please call Stella and ask her to bring these things with her from the store: six spoons of fresh snow peas.",
    "Father far away, oh no, what a lot of hot coffee. Are you on the phone? Aah, ooh, hmm, ha ha, mhm, yeah.",
    "One, two, three, four, five, six, seven, eight, nine, zero, star, pound.",
  ];
  let seconds = 0;
  for (const speaker of ["rms", "slt", "awb", "kal"] as const) {
    for (const text of texts) {
      const words = await flite.speak(text, { speaker });
      for (const gain of [0.3, 1, 3]) {
        const audio = line([words.map((sample) => Math.max(-32_768, Math.min(32_767, sample * gain)))]);
        seconds += audio.length / 8_000;
        expect(heard(audio)).toBe("");
      }
    }
  }
  expect(seconds).toBeGreaterThan(180);
  const words = await flite.speak(texts[2] as string);
  expect(heard(line([words, decodeMulaw(dtmfSequence("47#")), words]))).toBe("47#");
});

test("no key is heard in music or in noise", () => {
  fc.assert(
    fc.property(seed, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 6 }), (from, voices, overtones) => {
      const next = noise(from);
      const random = (count: number) => Math.floor(Math.abs(next(1_000))) % count;
      const music = new Float64Array(8_000 * 10);
      for (let at = 0; at < music.length; ) {
        const length = 1_200 + random(4_800);
        const root = 48 + random(24);
        for (const interval of [0, 3 + random(2), 7, 12].slice(0, voices)) {
          const hz = 440 * 2 ** ((root + interval - 69) / 12);
          for (let nth = 1; nth <= overtones && hz * nth < 3_800; nth++) {
            for (let i = at; i < Math.min(at + length, music.length); i++) {
              const sound = (3_000 / nth) * Math.exp((at - i) / 4_000) * Math.sin((2 * Math.PI * hz * nth * i) / 8_000);
              music[i] = (music[i] as number) + sound;
            }
          }
        }
        at += length;
      }
      expect(heard(line([Int16Array.from(music)]))).toBe("");
      expect(heard(line([5_000], 3_000, from))).toBe("");
    }),
    { numRuns: 12 },
  );
});
