import { describe, expect, test } from "vitest";
import { decodeMulaw, encodeMulaw } from "../../src/audio/g711.ts";
import { encodeWav } from "../../src/audio/wav.ts";
import { type Flaw, judged, type Produced } from "./sound.ts";

const MS = 8;

/** Something like a voice: a buzz of wandering pitch and loudness that is nowhere the same, in syllables. */
function speech(ms: number, seed: number): Uint8Array {
  let phase = 0;
  const samples = Int16Array.from({ length: ms * MS }, (_, i) => {
    phase += (2 * Math.PI * (120 + 35 * Math.sin(i / 2_900 + seed) + 9 * Math.sin(i / 377 + seed * 3))) / 8_000;
    const syllable = 0.15 + Math.sin((Math.PI * i) / (210 * MS) + seed) ** 2;
    const edge = Math.min(1, i / 80, (ms * MS - 1 - i) / 80);
    let buzz = 0;
    for (let n = 1; n <= 8; n++) buzz += Math.sin(n * phase + seed * n) / n;
    return Math.round(5_000 * syllable * edge * buzz);
  });
  return encodeMulaw(samples);
}

const GREETING = speech(1_000, 1);
const ANSWER = speech(3_000, 2);
const NEXT = speech(1_500, 3);
const TALK = decodeMulaw(speech(900, 4));
const COUGH = decodeMulaw(speech(160, 5));

/** An agent's word, rising from nothing over 5 ms as after a pause. */
function risen(audio: Uint8Array): Uint8Array {
  return encodeMulaw(decodeMulaw(audio).map((sample, i) => (i < 40 ? (sample * i) / 40 : sample)));
}

/** A recording: what the agent is heard to say, and what the caller says, by the moment at which it begins. */
function recording(agent: [atMs: number, audio: Uint8Array][], caller: [atMs: number, samples: Int16Array][]) {
  const channels = [new Int16Array(9_000 * MS), new Int16Array(9_000 * MS)] as const;
  for (const [atMs, samples] of caller) channels[0].set(samples, atMs * MS);
  for (const [atMs, audio] of agent) channels[1].set(decodeMulaw(audio), atMs * MS);
  return channels;
}

const part = (audio: Uint8Array, fromMs: number, toMs?: number) => audio.slice(fromMs * MS, toMs && toMs * MS);
const SOUNDS: Produced[] = [
  { name: "greeting", audio: GREETING },
  { name: "answer", audio: ANSWER, cutAtMs: 2_020 },
  { name: "next", audio: NEXT },
];

/** A call without a flaw: the answer is paused by a cough after 1,000 ms of it and cut by talk after 2,020 ms. */
const good = () =>
  recording(
    [
      [200, GREETING],
      [2_000, part(ANSWER, 0, 1_000)],
      [3_500, risen(part(ANSWER, 1_020, 2_020))],
      [5_800, NEXT],
    ],
    [
      [2_880, COUGH],
      [4_360, TALK],
    ],
  );

const verdict = (channels: readonly Int16Array[], sounds = SOUNDS) =>
  judged(encodeWav({ sampleRate: 8_000, channels }), sounds);
const kinds = (flaws: readonly Flaw[]) => [...new Set(flaws.map(({ kind }) => kind))].sort();

test("a call without a flaw has none, and every sound in it is found", () => {
  const { flaws, runs, covered } = verdict(good());
  expect(flaws).toEqual([]);
  expect(runs.map(({ sound, from, to }) => [sound, Math.round(from / MS), Math.round(to / MS)])).toEqual([
    [0, 200, 1_200],
    [1, 2_000, 3_000],
    [1, 3_505, 4_500],
    [2, 5_800, 7_300],
  ]);
  // Both cuts fall into the caller's sound.
  for (const { atMs } of covered) expect([3_000, 4_500]).toContain(Math.round(atMs));
});

describe("each flaw is found, where it is, and nothing else", () => {
  const made: [
    flaw: string,
    kind: string,
    atMs: number,
    make: (channels: readonly [Int16Array, Int16Array]) => void,
  ][] = [
    [
      "a frame that came too late for its turn",
      "gap",
      700,
      ([, agent]) => {
        agent.copyWithin(720 * MS, 700 * MS, 1_300 * MS);
        agent.fill(0, 700 * MS, 720 * MS);
      },
    ],
    ["a pause without a reason", "gap", 3_000, ([caller]) => caller.fill(0, 2_800 * MS, 3_100 * MS)],
    ["words that were skipped", "lost", 6_300, ([, agent]) => agent.copyWithin(6_300 * MS, 6_400 * MS, 8_000 * MS)],
    ["an end that never came", "lost", 7_100, ([, agent]) => agent.fill(0, 7_100 * MS)],
    [
      "a syllable that is heard again after the pause",
      "repeat",
      3_500,
      ([, agent]) => {
        agent.fill(0, 3_500 * MS, 4_600 * MS);
        agent.set(decodeMulaw(risen(part(ANSWER, 780, 1_780))), 3_500 * MS);
      },
    ],
    [
      "an answer that goes on after the next one has begun",
      "stale",
      7_400,
      ([, agent]) => agent.set(decodeMulaw(risen(part(ANSWER, 1_000, 1_400))), 7_400 * MS),
    ],
    [
      "words that nobody holds for heard",
      "stale",
      3_500,
      ([, agent]) => agent.set(decodeMulaw(part(ANSWER, 2_020, 2_120)), 4_500 * MS),
    ],
    [
      "two sounds at once",
      "foreign",
      400,
      ([, agent]) => {
        const clip = decodeMulaw(speech(300, 9));
        clip.forEach((sample, i) => {
          agent[400 * MS + i] = (agent[400 * MS + i] as number) + sample;
        });
      },
    ],
    [
      "one sample that stands out",
      "click",
      900,
      ([, agent]) => {
        agent[900 * MS] = 30_000;
      },
    ],
  ];
  test.each(made)("%s is a flaw: %s", (_flaw, kind, atMs, make) => {
    const channels = good();
    make(channels);
    const { flaws } = verdict(channels);
    const found = flaws.filter((flaw) => flaw.kind === kind);
    expect(found.map((flaw) => Math.abs(flaw.atMs - atMs) <= 21)).toContain(true);
    // A break in mid-wave may click as well.
    expect(kinds(flaws).filter((other) => other !== "click" && other !== "lost")).toEqual(
      kind === "click" || kind === "lost" ? [] : [kind],
    );
  });

  test("talk into which the agent goes on for more than 300 ms is an overlap", () => {
    const channels = good();
    channels[0].fill(0, 4_200 * MS, 4_360 * MS);
    channels[0].copyWithin(4_100 * MS, 4_360 * MS, 5_260 * MS);
    channels[0].fill(0, 5_000 * MS, 5_400 * MS);
    const { flaws } = verdict(channels);
    expect(kinds(flaws)).toEqual(["overlap"]);
    expect(flaws[0]?.size).toBeGreaterThanOrEqual(400);
  });

  test("sound that goes on after a pause without rising clicks, unless it begins where the wave is low", () => {
    let clicks = 0;
    for (let atMs = 1_000; atMs < 2_000; atMs += 60) {
      const [caller, agent] = recording(
        [
          [200, GREETING],
          [2_000, part(ANSWER, 0, atMs)],
        ],
        [],
      );
      agent.set(decodeMulaw(part(ANSWER, atMs, 2_020)), 6_000 * MS);
      const abrupt = judged(encodeWav({ sampleRate: 8_000, channels: [caller, agent] }), SOUNDS.slice(0, 2));
      const height = Math.abs(agent[6_000 * MS] as number);
      const isClick = abrupt.flaws.some((flaw) => flaw.kind === "click" && flaw.atMs === 6_000);
      if (height <= 260) expect(isClick).toBe(false);
      if (isClick) clicks += 1;
      agent.set(decodeMulaw(risen(part(ANSWER, atMs, 2_020))), 6_000 * MS);
      const { flaws } = judged(encodeWav({ sampleRate: 8_000, channels: [caller, agent] }), SOUNDS.slice(0, 2));
      expect(flaws.filter((flaw) => flaw.kind === "click" && flaw.atMs >= 5_999)).toEqual([]);
    }
    expect(clicks).toBeGreaterThan(3);
  });

  test("a cut in mid-wave is a click, but for one that the caller's own voice covers", () => {
    let clicks = 0;
    for (let atMs = 1_000; atMs < 1_200; atMs += 20) {
      const sounds = [{ name: "answer", audio: ANSWER, cutAtMs: atMs }];
      const agent = [[2_000, part(ANSWER, 0, atMs)]] as [number, Uint8Array][];
      const alone = verdict(recording(agent, []), sounds);
      expect(alone.covered).toEqual([]);
      expect(kinds(alone.flaws).filter((kind) => kind !== "click")).toEqual([]);
      const spokenOver = verdict(recording(agent, [[2_000 + atMs - 150, TALK]]), sounds);
      expect(spokenOver.flaws).toEqual([]);
      expect(spokenOver.covered.map((cut) => cut.atMs)).toEqual(alone.flaws.map((flaw) => flaw.atMs));
      clicks += alone.flaws.length;
    }
    expect(clicks).toBeGreaterThan(2);
  });

  test("a cue of ours may be heard again; a sound that is heard nowhere is lost", () => {
    const cue = { name: "cue", audio: speech(200, 7), again: true };
    const [caller, agent] = good();
    for (const atMs of [7_500, 8_200]) agent.set(decodeMulaw(cue.audio), atMs * MS);
    expect(verdict([caller, agent], [...SOUNDS, cue]).flaws).toEqual([]);
    const { flaws } = verdict(good(), [...SOUNDS, { name: "farewell", audio: speech(400, 8) }]);
    expect(flaws).toMatchObject([{ kind: "lost", sound: "farewell", size: 400 }]);
  });
});
