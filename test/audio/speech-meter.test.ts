import { expect, test } from "vitest";
import { FRAME_BYTES } from "../../src/audio/g711.ts";
import { type Hearing, SpeechMeter } from "../../src/audio/speech-meter.ts";
import { random } from "../situations/random.ts";
import { lineNoise } from "../situations/sounds.ts";
import { add, atLevel, cords, noise, silence, toMulaw, vowel, type Wave } from "../situations/waves.ts";

/** A vowel of a person whose voice has that pitch. */
const voice = (ms: number, dbfs: number, pitchHz = 120, seed = 1): Wave =>
  atLevel(
    vowel(
      cords(ms, (t) => pitchHz * (1 + 0.1 * Math.sin(t * 7)), random(seed)),
      [600, 1_100, 2_400],
    ),
    dbfs,
  );

/** Lets the meter hear a sound; says what it made of each frame. */
function hear(meter: SpeechMeter, sound: Wave, fromMs = 0): Hearing[] {
  const bytes = toMulaw(sound);
  const heard: Hearing[] = [];
  for (let at = 0; at + FRAME_BYTES <= bytes.length; at += FRAME_BYTES) {
    heard.push({ ...meter.hear(bytes.subarray(at, at + FRAME_BYTES), fromMs + at / 8 + 20) });
  }
  return heard;
}

const share = (heard: readonly Hearing[], what: (one: Hearing) => boolean): number =>
  heard.filter(what).length / heard.length;

test("a voice out of silence asks for attention within two frames", () => {
  const meter = new SpeechMeter();
  hear(meter, silence(500));
  const heard = hear(meter, voice(200, -25), 500);
  expect(heard.findIndex(({ speechLike }) => speechLike > 0)).toBeLessThanOrEqual(1);
  expect(share(heard.slice(2), ({ voiced }) => voiced)).toBeGreaterThan(0.9);
});

test("a hiss is not voiced, and a low rumble is not either", () => {
  for (const sound of [noise(1_000, random(2)), lineNoise(1_000, -25, random(3))]) {
    const meter = new SpeechMeter();
    hear(meter, silence(500));
    expect(share(hear(meter, atLevel(sound, -25), 500), ({ voiced }) => voiced)).toBeLessThan(0.1);
  }
});

test("what sounds for two seconds becomes the floor, and a voice still stands out of it", () => {
  const meter = new SpeechMeter();
  const heard = hear(meter, atLevel(noise(5_000, random(4)), -32));
  expect(share(heard.slice(150), ({ sounds }) => sounds)).toBe(0);
  expect(heard.at(-1)?.floorDbfs).toBeGreaterThan(-36);
  const both = add(atLevel(noise(400, random(5)), -32), voice(400, -16));
  expect(share(hear(meter, both, 5_000).slice(2), ({ speechLike }) => speechLike > 0)).toBeGreaterThan(0.8);
});

test("what stands out of steady noise by 7 dB is heard, and of noise that comes and goes by 9 at least", () => {
  const after = (movesBy: number) => {
    const meter = new SpeechMeter();
    // As people in a room are: louder and quieter, five times a second.
    const before = noise(3_000, random(6)).map((x, i) => x * (1 + movesBy * Math.sin((i * 10 * Math.PI) / 8_000)));
    const floor = (hear(meter, atLevel(before, -34)).at(-1) as Hearing).floorDbfs;
    return share(hear(meter, voice(200, floor + 7), 3_000).slice(2), ({ sounds }) => sounds);
  };
  expect(after(0)).toBeGreaterThan(0.8);
  expect(after(0.3)).toBe(0);
});

test("once it is known how loud the caller is, a voice 14 dB below is another one", () => {
  const meter = new SpeechMeter();
  hear(meter, silence(500));
  expect(hear(meter, voice(300, -36), 500).at(-1)?.near).toBe(true);
  meter.callerSpoke(-22);
  hear(meter, silence(500), 800);
  const behind = hear(meter, voice(300, -36), 1_300);
  expect(share(behind, ({ near }) => near)).toBe(0);
  expect(share(behind, ({ voiced }) => voiced)).toBeGreaterThan(0.8);
  expect(hear(meter, voice(300, -24), 1_600).at(-1)).toMatchObject({ near: true, full: true, speechLike: 1 });
});

test("a sound that was judged to be none is ignored while it lasts, what is louder is not", () => {
  const meter = new SpeechMeter();
  hear(meter, silence(500));
  const [loudest] = hear(meter, voice(400, -30), 500).sort((a, b) => b.levelDbfs - a.levelDbfs);
  meter.ignore((loudest as Hearing).levelDbfs);
  expect(share(hear(meter, voice(400, -30), 900), ({ ignored }) => ignored)).toBe(1);
  expect(share(hear(meter, voice(400, -18), 1_300).slice(2), ({ ignored }) => ignored)).toBe(0);
});

for (const [lagMs, gainDb] of [
  [0, -8],
  [120, -20],
  [390, -12],
] as const) {
  test(`case 7: our own voice after ${lagMs} ms at ${gainDb} dB is known within 100 ms of its first sound`, () => {
    const meter = new SpeechMeter();
    const agent = voice(2_000, -20, 180, 7);
    meter.agentPlays(toMulaw(agent), 1_000);
    const room = add(silence(3_000), agent, 1_000 + lagMs, 10 ** (gainDb / 20));
    const until = 1_000 + lagMs + 100;
    hear(meter, room.subarray(0, until * 8));
    expect(meter.isOurs(until)).toBe(true);
    expect(meter.isOurs(until)).toBe(true);
    expect(meter.isOurs(until)).toBe(true);
    expect(meter.echoUnknown).toBe(false);
    // From then on it does not even sound.
    expect(share(hear(meter, room.subarray(until * 8), until), ({ sounds }) => sounds)).toBeLessThan(0.05);
  });
}

test("another voice is not taken for ours, also while ours comes back", () => {
  const meter = new SpeechMeter();
  const agent = voice(2_000, -20, 180, 7);
  meter.agentPlays(toMulaw(agent), 0);
  const both = add(atLevel(voice(400, -20, 105, 8), -20), agent.subarray(800), 0, 0.03);
  hear(meter, both, 100);
  expect(meter.isOurs(500)).toBe(false);
});

test("what was cleared does not come back", () => {
  const meter = new SpeechMeter();
  const agent = voice(1_000, -20, 150, 9);
  meter.agentPlays(toMulaw(agent), 0);
  meter.cleared(0);
  hear(
    meter,
    agent.map((x) => x * 0.3),
  );
  expect(meter.isOurs(1_000)).toBe(false);
});

test("a frame that came short is heard as far as it goes", () => {
  const meter = new SpeechMeter();
  expect(meter.hear(toMulaw(voice(10, -20)), 20).levelDbfs).toBeLessThan(-15);
  expect(meter.hear(new Uint8Array(0), 40).levelDbfs).toBeLessThan(-65);
});

test("frames that were put off change nothing of what is heard after them", () => {
  const wave: Wave = Float32Array.from([
    ...silence(130),
    ...voice(200, -30),
    ...noise(300, random(5)).map((sample) => sample / 400),
    ...voice(400, -20, 200),
    ...silence(330),
    ...voice(200, -28),
  ]);
  const sound = toMulaw(wave);
  const [atOnce, later] = [new SpeechMeter(), new SpeechMeter()];
  let putOff = 0;
  for (let at = 0; at + FRAME_BYTES <= sound.length; at += FRAME_BYTES) {
    const frame = sound.subarray(at, at + FRAME_BYTES);
    const heard = { ...atOnce.hear(frame, at / 8 + 20) };
    if (later.putOff(frame, at / 8 + 20)) {
      putOff += 1;
      expect(heard.speechLike).toBe(0);
    } else expect({ ...later.hear(frame, at / 8 + 20) }).toEqual(heard);
  }
  expect(putOff).toBeGreaterThan(20);
});
